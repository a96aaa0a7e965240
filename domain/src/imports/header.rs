//! The beginning of a file: the byte order mark, and the header of a CSV.

use super::frames::{Frame, Frames};
use super::{Format, Kind, csv};

/// The mark that some programs write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where the rows of a file begin, and what their cells are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The names in the header of a CSV; none of JSON lines.
    pub columns: Vec<String>,
    /// The byte that the rows begin at.
    pub begins_at: i64,
}

impl Start {
    /// The line that the rows begin on.
    pub fn line(format: Format) -> i64 {
        match format {
            Format::Csv => 2,
            Format::JsonLines => 1,
        }
    }

    /// Reads the beginning from the first piece of a file.
    ///
    /// # Errors
    /// What is wrong with the header, for a person.
    pub fn read(kind: Kind, format: Format, piece: &[u8]) -> Result<Start, String> {
        let body = piece.strip_prefix(BYTE_ORDER_MARK).unwrap_or(piece);
        let mark = i64::try_from(piece.len() - body.len()).expect("a mark is short");
        if format == Format::JsonLines {
            return Ok(Start { columns: Vec::new(), begins_at: mark });
        }
        let mut frames = Frames::at(format, mark, 1);
        frames.push(body);
        frames.complete();
        let Frame::Row { line: 1, bytes: Some(row) } = frames.next() else {
            return Err(format!("the first line must name the columns: {}", kind.columns().join(",")));
        };
        let names = std::str::from_utf8(row).ok().and_then(|row| csv::cells(row).ok());
        let columns = names.ok_or("the first line is no CSV in UTF-8")?;
        check(kind, &columns)?;
        Ok(Start { columns, begins_at: frames.place().0 })
    }
}

fn check(kind: Kind, columns: &[String]) -> Result<(), String> {
    for (index, name) in columns.iter().enumerate() {
        if !kind.columns().contains(&name.as_str()) {
            return Err(format!("the first line names a column that is none of {}", kind.columns().join(", ")));
        }
        if columns[..index].contains(name) {
            return Err(format!("the first line names {name} twice"));
        }
    }
    match kind.required().iter().find(|required| !columns.iter().any(|name| name == *required)) {
        None => Ok(()),
        Some(missing) => Err(format!("the first line does not name {missing}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_begin_behind_mark_and_header() {
        let start = |file: &[u8]| Start::read(Kind::Users, Format::Csv, file);
        let found = start(b"\xef\xbb\xbfname,\"email\"\r\nA,a@b.c").unwrap();
        assert_eq!((found.columns, found.begins_at), (vec!["name".to_owned(), "email".to_owned()], 17));
        assert_eq!(start(b"email,name").unwrap().begins_at, 10);
        let lines = Start::read(Kind::Users, Format::JsonLines, b"\xef\xbb\xbf{}").unwrap();
        assert_eq!((lines.columns.len(), lines.begins_at), (0, 3));
    }

    #[test]
    fn a_wrong_header_is_told() {
        let table: [(&[u8], &str); 6] = [
            (b"", "must name the columns"),
            (b"\nemail,name\n", "must name the columns"),
            (b"email\n", "does not name name"),
            (b"email,name,email\n", "names email twice"),
            (b"email,name,password\n", "a column that is none of"),
            (b"email,\xff\n", "no CSV in UTF-8"),
        ];
        for (file, wanted) in table {
            let error = Start::read(Kind::Users, Format::Csv, file).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    }
}
