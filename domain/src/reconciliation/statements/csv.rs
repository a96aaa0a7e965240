//! The file of a statement: a strict CSV with a fixed header, read line by line, whatever its size.

use std::collections::VecDeque;
use std::io::Read;

use chrono::NaiveDate;
use ledger::{Currency, Money};
use sha2::{Digest, Sha256};

/// The header, exactly so.
pub const COLUMNS: [&str; 6] = ["date", "amount", "currency", "reference", "id", "description"];
/// The most lines of one statement.
pub const LINES_MAX: u32 = 1_000_000;
/// The longest line: whoever forgets to close a quote is told so, instead of having the rest of the file read as one field.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// What is read ahead of the line that is being parsed.
const READ_AHEAD: usize = 64 * 1024;

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {problem}", column.map(|column| format!(", column {column}")).unwrap_or_default())]
pub struct LineError {
    /// The line, from 1 for the header.
    pub line: u64,
    /// The column, where it is one.
    pub column: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
}

/// A line of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) line: u32,
    pub(super) booked_on: NaiveDate,
    pub(super) amount: i64,
    pub(super) currency: Currency,
    pub(super) reference: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) description: Option<String>,
}

/// What has arrived of a file and is not read yet: hashes what arrives, and refuses to give too much for one line.
struct Arrived {
    bytes: VecDeque<u8>,
    /// The last byte was a carriage return, which is not among these yet.
    holds_return: bool,
    is_whole: bool,
    hash: Sha256,
    since_line: usize,
}

impl Arrived {
    /// Takes a piece of the file. A line's end of two bytes becomes one, since the reader counts a line by the second of them, and
    /// leaves that for the next line.
    fn take(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        for byte in piece {
            if self.holds_return && *byte != b'\n' {
                self.bytes.push_back(b'\r');
            }
            self.holds_return = *byte == b'\r';
            if !self.holds_return {
                self.bytes.push_back(*byte);
            }
        }
    }

    fn end(&mut self) {
        self.bytes.extend(self.holds_return.then_some(b'\r'));
        self.is_whole = true;
    }
}

impl Read for Arrived {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_line > LINE_BYTES_MAX + READ_AHEAD {
            return Err(std::io::Error::other(format!(
                "a line has more than {LINE_BYTES_MAX} bytes: is a quote open?"
            )));
        }
        assert!(self.is_whole || !self.bytes.is_empty(), "a line is begun when enough is here to end it");
        let count = self.bytes.read(buffer)?;
        self.since_line += count;
        Ok(count)
    }
}

/// Reads the lines of a file that arrives in pieces.
pub(super) struct Lines {
    reader: csv::Reader<Arrived>,
    record: csv::ByteRecord,
    line: u64,
    count: u32,
    has_header: bool,
}

impl Lines {
    /// Nothing has arrived yet.
    pub(super) fn new() -> Lines {
        let (bytes, hash) = (VecDeque::new(), Sha256::new());
        let arrived = Arrived { bytes, holds_return: false, is_whole: false, hash, since_line: 0 };
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(READ_AHEAD)
            .from_reader(arrived);
        Lines { reader, record: csv::ByteRecord::new(), line: 1, count: 0, has_header: false }
    }

    /// Takes what comes next of the file; none is its end.
    pub(super) fn add(&mut self, piece: Option<&[u8]>) {
        let arrived = self.reader.get_mut();
        assert!(!arrived.is_whole, "nothing comes after the end");
        match piece {
            Some(piece) => arrived.take(piece),
            None => arrived.end(),
        }
    }

    /// The next line; none at the end, and before it where more of the file has to arrive first.
    pub(super) fn next(&mut self) -> Result<Option<Line>, LineError> {
        if !self.has_header {
            if !self.is_ready() {
                return Ok(None);
            }
            self.read_header()?;
        }
        if !self.is_ready() || !self.read()? {
            return Ok(None);
        }
        self.count += 1;
        if self.count > LINES_MAX {
            return Err(self.error(None, format!("a statement has at most {LINES_MAX} lines")));
        }
        if self.record.len() != COLUMNS.len() {
            let problem = format!("it has {} fields, not {}", self.record.len(), COLUMNS.len());
            return Err(self.error(None, problem));
        }
        self.parse().map(Some)
    }

    /// How many lines there were so far.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// SHA-256 of the whole file, once all of it has arrived.
    pub(super) fn digest(self) -> [u8; 32] {
        self.reader.into_inner().hash.finalize().into()
    }

    /// Whether enough is here for a line, however long: its end must not be taken for that of the file.
    fn is_ready(&self) -> bool {
        let arrived = self.reader.get_ref();
        arrived.is_whole || arrived.bytes.len() >= LINE_BYTES_MAX + 2 * READ_AHEAD
    }

    fn read_header(&mut self) -> Result<(), LineError> {
        let is_there = self.read()?;
        let header: Vec<&[u8]> = self.record.iter().collect();
        if !is_there || header != COLUMNS.map(str::as_bytes) {
            let problem = format!("the first line has to be {}", COLUMNS.join(","));
            return Err(LineError { line: 1, column: None, problem });
        }
        self.has_header = true;
        Ok(())
    }

    fn read(&mut self) -> Result<bool, LineError> {
        self.reader.get_mut().since_line = 0;
        let before = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record);
        self.line = self.record.position().map_or(before, csv::Position::line);
        read.map_err(|error| LineError { line: before, column: None, problem: error.to_string() })
    }

    /// What is wrong with the line that was read last.
    pub(super) fn error(&self, column: Option<&'static str>, problem: impl Into<String>) -> LineError {
        LineError { line: self.line, column, problem: problem.into() }
    }

    fn parse(&self) -> Result<Line, LineError> {
        let [date, amount, currency, reference, id, description] = std::array::from_fn(|column| self.text(column));
        let (date, amount, currency) = (date?, amount?, currency?);
        let currency = Currency::parse(currency).map_err(|error| self.error(Some("currency"), error.to_string()))?;
        let money = Money::parse(amount, currency).map_err(|error| self.error(Some("amount"), error.to_string()))?;
        let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
        let booked_on = day(date).ok_or_else(|| self.error(Some("date"), "a date is a day such as 2026-01-31"))?;
        Ok(Line {
            line: u32::try_from(self.line).map_err(|_| self.error(None, "it is too far down"))?,
            booked_on,
            amount: i64::try_from(money.minor).expect("an amount is at most 10^18"),
            currency,
            reference: self.optional("reference", reference?, 200)?,
            external_id: self.optional("id", id?, 200)?,
            description: self.optional("description", description?, 500)?,
        })
    }

    /// A field as text.
    fn text(&self, column: usize) -> Result<&str, LineError> {
        let bytes = self.record.get(column).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|_| self.error(Some(COLUMNS[column]), "it is not UTF-8"))
    }

    fn optional(&self, column: &'static str, text: &str, max: usize) -> Result<Option<String>, LineError> {
        if text.chars().any(char::is_control) {
            return Err(self.error(Some(column), "it holds a control character"));
        }
        let length = text.chars().count();
        if length > max {
            return Err(self.error(Some(column), format!("it has {length} characters, at most {max} are allowed")));
        }
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<Vec<Line>, String> {
        read_by(file, file.len().max(1)).map(|(lines, _)| lines)
    }

    /// Reads a file that arrives in pieces of this length; its hash, too.
    fn read_by(file: &str, piece_bytes: usize) -> Result<(Vec<Line>, [u8; 32]), String> {
        let (mut lines, mut found) = (Lines::new(), Vec::new());
        for piece in file.as_bytes().chunks(piece_bytes).map(Some).chain([None]) {
            lines.add(piece);
            while let Some(line) = lines.next().map_err(|error| error.to_string())? {
                found.push(line);
            }
        }
        assert_eq!(lines.count() as usize, found.len());
        Ok((found, lines.digest()))
    }

    const HEADER: &str = "date,amount,currency,reference,id,description\n";

    #[test]
    fn lines_are_read_to_the_penny() {
        let file = format!("{HEADER}2026-01-31,-12.50,GBP,\"inv, 7\",,\n2026-02-01,3,JPY,,x-1,\"said \"\"so\"\"\"\n");
        let lines = read(&file).unwrap();
        assert_eq!((lines[0].line, lines[0].amount, lines[0].reference.as_deref()), (2, -1_250, Some("inv, 7")));
        assert_eq!((lines[1].line, lines[1].amount, lines[1].description.as_deref()), (3, 3, Some("said \"so\"")));
        assert_eq!((lines[1].external_id.as_deref(), lines[1].reference.clone()), (Some("x-1"), None));
    }

    #[test]
    fn how_a_file_arrives_changes_nothing() {
        let long = "é\"\"".repeat(65);
        let line = |n: usize| format!("2026-01-31,{n}.00,GBP,\"a, {n}\",,\"{long}\"\r\n");
        let file = format!("{HEADER}{}", (0..3_000).map(line).collect::<String>());
        let whole = read_by(&file, file.len()).unwrap();
        assert_eq!((whole.0.len(), whole.0[2_999].line), (3_000, 3_001));
        assert_eq!(whole.1, <[u8; 32]>::from(Sha256::digest(&file)));
        for piece_bytes in [1, 7, 4_093, 65_536, 147_457] {
            assert!(read_by(&file, piece_bytes).unwrap() == whole, "in pieces of {piece_bytes}");
        }
        let wrong = format!("{file}x\n");
        assert_eq!(read_by(&wrong, 1_000).unwrap_err(), read_by(&wrong, wrong.len()).unwrap_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column() {
        let table = [
            ("", "line 1: the first line has to be date,amount"),
            ("date,amount\n", "line 1: the first line has to be date,amount"),
            ("2026-01-31,1.00,GBP,,\n", "line 2: it has 5 fields, not 6"),
            ("2026-01-31,1.00,GBP,,,\n2026-02-30,1.00,GBP,,,\n", "line 3, column date: a date is a day"),
            ("2026-1-31,1.00,GBP,,,\n", "line 2, column date: a date is a day"),
            ("2026-01-31,1.005,GBP,,,\n", "line 2, column amount: the currency has 2 decimals"),
            ("2026-01-31,1e3,GBP,,,\n", "line 2, column amount: an amount is digits"),
            ("2026-01-31,1.00,XXX,,,\n", "line 2, column currency: "),
            ("2026-01-31,1.00,GBP,\"a\tb\",,\n", "line 2, column reference: it holds a control character"),
        ];
        for (index, (rest, wanted)) in table.iter().enumerate() {
            let file = if index < 2 { (*rest).to_owned() } else { format!("{HEADER}{rest}") };
            let error = read(&file).unwrap_err();
            assert!(error.starts_with(wanted), "{rest}: {error}");
        }
        let open_quote = format!("{HEADER}2026-01-31,1.00,GBP,\"{}", "x,\n".repeat(200_000));
        assert!(read(&open_quote).unwrap_err().contains("is a quote open?"));
    }
}
