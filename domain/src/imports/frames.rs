//! Cuts a stream of bytes into rows, whatever the pieces are that it comes in: by lines, and of a CSV by lines that are not
//! inside quotes. It holds one piece and one row, never more.

use super::Format;

/// The longest row: whoever forgets to close a quote loses so much of the file and not the rest of it.
pub const ROW_BYTES_MAX: usize = 64 * 1024;

/// What the next bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A row without its line end.
    Row {
        /// The line that it begins on, from 1.
        line: i64,
        /// The row; none when it is longer than [`ROW_BYTES_MAX`].
        bytes: Option<&'a [u8]>,
    },
    /// Only a part of a row is left: push the next piece.
    Part,
    /// The file is over.
    End,
}

/// Where the reader is in the rules of RFC 4180.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside quotes: the first half of a quote, or the end.
    QuoteInQuoted,
    /// In a row that is too long: it ends with its line.
    TooLong,
}

/// The reader of one file.
#[derive(Debug)]
pub struct Frames {
    format: Format,
    buffer: Vec<u8>,
    /// Where in the buffer the row begins, and how far it was looked at.
    row: usize,
    seen: usize,
    state: State,
    /// Lines that ended inside the row so far.
    inside: i64,
    /// The place in the file, and the line, of what follows the last row.
    place: i64,
    line: i64,
    is_complete: bool,
}

impl Frames {
    /// A reader that begins at this byte of the file, on this line, where a row begins.
    pub fn at(format: Format, place: i64, line: i64) -> Frames {
        let (row, seen, inside) = (0, 0, 0);
        let state = State::FieldStart;
        Frames { format, buffer: Vec::new(), row, seen, state, inside, place, line, is_complete: false }
    }

    /// The byte of the file, and the line, that the next row begins at. Holds after each row.
    pub fn place(&self) -> (i64, i64) {
        (self.place, self.line)
    }

    /// Adds the next piece of the file.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.drain(..self.row);
        self.seen -= self.row;
        self.row = 0;
        self.buffer.extend_from_slice(piece);
    }

    /// Says that there are no more pieces.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    /// The next row.
    #[expect(clippy::should_implement_trait, reason = "what it lends cannot be lent by an iterator")]
    pub fn next(&mut self) -> Frame<'_> {
        loop {
            let (end, next) = match self.find_end() {
                Some(end) => (end, end + 1),
                None if self.is_complete => (self.buffer.len(), self.buffer.len()),
                None => return Frame::Part,
            };
            let is_empty = self.state == State::FieldStart && matches!(&self.buffer[self.row..end], b"" | b"\r");
            if !is_empty {
                return self.take(end, next);
            }
            self.skip_to(next);
            if next == end {
                return Frame::End;
            }
        }
    }

    /// The place in the buffer of the line end that ends the row.
    fn find_end(&mut self) -> Option<usize> {
        while let Some(byte) = self.buffer.get(self.seen).copied() {
            if self.state != State::TooLong && self.seen - self.row > ROW_BYTES_MAX {
                self.state = State::TooLong;
            }
            if self.state == State::TooLong && byte != b'\n' {
                // Its bytes are no use; only where it ends is.
                self.place += i64::try_from(self.seen + 1 - self.row).expect("a buffer is small");
                (self.row, self.seen) = (self.seen + 1, self.seen + 1);
                continue;
            }
            if byte == b'\n' && self.state != State::Quoted {
                return Some(self.seen);
            }
            self.inside += i64::from(byte == b'\n');
            if self.format == Format::Csv {
                self.state = self.after(byte);
            } else if byte != b'\r' {
                self.state = State::Plain;
            }
            self.seen += 1;
        }
        None
    }

    /// The state after this byte of a CSV.
    fn after(&self, byte: u8) -> State {
        match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuoted,
            (State::Quoted, _) | (State::FieldStart | State::QuoteInQuoted, b'"') => State::Quoted,
            (_, b',') => State::FieldStart,
            // An empty line with a carriage return is an empty line.
            (State::FieldStart, b'\r') => State::FieldStart,
            _ => State::Plain,
        }
    }

    /// Gives out the row up to `end` and goes on at `next`.
    fn take(&mut self, end: usize, next: usize) -> Frame<'_> {
        let (row, line, is_too_long) = (self.row, self.line, self.state == State::TooLong);
        self.skip_to(next);
        let bytes = &self.buffer[row..end];
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        Frame::Row { line, bytes: (!is_too_long && bytes.len() <= ROW_BYTES_MAX).then_some(bytes) }
    }

    fn skip_to(&mut self, next: usize) {
        let ended = next > self.seen;
        self.place += i64::try_from(next - self.row).expect("a buffer is small");
        self.line += self.inside + i64::from(ended);
        (self.row, self.seen) = (next, next);
        (self.state, self.inside) = (State::FieldStart, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows with their lines, and the place after each, when the file comes in pieces of this size.
    fn rows(format: Format, file: &[u8], size: usize) -> Vec<(i64, Option<Vec<u8>>, i64)> {
        let mut frames = Frames::at(format, 0, 1);
        let (mut found, mut pieces) = (Vec::new(), file.chunks(size));
        loop {
            match frames.next() {
                Frame::Row { line, bytes } => {
                    let bytes = bytes.map(<[u8]>::to_vec);
                    found.push((line, bytes, frames.place().0));
                }
                Frame::Part => match pieces.next() {
                    Some(piece) => frames.push(piece),
                    None => frames.complete(),
                },
                Frame::End => return found,
            }
        }
    }

    #[test]
    fn rows_are_the_same_whatever_the_pieces() {
        let file = b"a,\"1\n2\",\"x\"\"y\"\r\n\n\r\nb\n\"\r\n\",c\r\nlast";
        let row = |line, bytes: &[u8], place| (line, Some(bytes.to_vec()), place);
        let wanted = vec![
            row(1, b"a,\"1\n2\",\"x\"\"y\"", 16),
            row(5, b"b", 21),
            row(6, b"\"\r\n\",c", 29),
            row(8, b"last", 33),
        ];
        for size in 1..=file.len() {
            assert_eq!(rows(Format::Csv, file, size), wanted, "{size}");
        }
    }

    #[test]
    fn a_quote_means_nothing_between_json_lines() {
        let file = b"{\"a\":\"\n{\"b\"}\r\n";
        let found = rows(Format::JsonLines, file, 3);
        assert_eq!(found.iter().map(|(line, ..)| *line).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found[1].1.as_deref(), Some(&b"{\"b\"}"[..]));
    }

    #[test]
    fn a_row_that_is_too_long_is_no_longer_than_its_line() {
        let mut file = b"a,\"".to_vec();
        file.extend(std::iter::repeat_n(b'x', ROW_BYTES_MAX + 10));
        let ends = file.len() as i64 + 1;
        file.extend(b"\nnext\n");
        for size in [1_000, 70_000, 1 << 20] {
            let wanted = vec![(1, None, ends), (2, Some(b"next".to_vec()), ends + 5)];
            assert_eq!(rows(Format::Csv, &file, size), wanted, "{size}");
        }
    }

    #[test]
    fn reading_goes_on_from_any_row() {
        let file = b"a\n\"b\nb\"\nc\r\nd\n";
        let mut frames = Frames::at(Format::Csv, 0, 1);
        frames.push(file);
        let mut places = Vec::new();
        while frames.next() != Frame::Part {
            places.push(frames.place());
        }
        for (index, (place, line)) in places.iter().enumerate().take(3) {
            let mut again = Frames::at(Format::Csv, *place, *line);
            again.push(&file[*place as usize..]);
            while again.next() != Frame::Part {}
            assert_eq!(again.place(), places[3], "{index}");
        }
        assert_eq!(places, [(2, 2), (8, 4), (11, 5), (13, 6)]);
    }
}
