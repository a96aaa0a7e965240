//! The file of a statement: a strict CSV with a fixed header, read line by line, whatever its size.

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

/// Reads bytes, hashes them, and refuses to read too many for one line.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
    since_line: usize,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.since_line > LINE_BYTES_MAX + READ_AHEAD {
            return Err(std::io::Error::other(format!(
                "a line has more than {LINE_BYTES_MAX} bytes: is a quote open?"
            )));
        }
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.since_line += count;
        Ok(count)
    }
}

/// Reads the lines of a file.
pub(super) struct Lines<R> {
    reader: csv::Reader<Hashed<R>>,
    record: csv::ByteRecord,
    line: u64,
    count: u32,
}

impl<R: Read> Lines<R> {
    /// Begins with the header.
    pub(super) fn new(inner: R) -> Result<Lines<R>, LineError> {
        let hashed = Hashed { inner, hash: Sha256::new(), since_line: 0 };
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(READ_AHEAD).from_reader(hashed);
        let mut lines = Lines { reader, record: csv::ByteRecord::new(), line: 1, count: 0 };
        let is_there = lines.read()?;
        let header: Vec<&[u8]> = lines.record.iter().collect();
        if !is_there || header != COLUMNS.map(str::as_bytes) {
            let problem = format!("the first line has to be {}", COLUMNS.join(","));
            return Err(LineError { line: 1, column: None, problem });
        }
        Ok(lines)
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, LineError> {
        if !self.read()? {
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

    /// SHA-256 of the whole file, once it is read to its end.
    pub(super) fn digest(self) -> [u8; 32] {
        self.reader.into_inner().hash.finalize().into()
    }

    fn read(&mut self) -> Result<bool, LineError> {
        self.reader.get_mut().since_line = 0;
        let before = self.reader.position().line();
        let read = self.reader.read_byte_record(&mut self.record);
        self.line = self.record.position().map_or(before, csv::Position::line);
        read.map_err(|error| LineError { line: before, column: None, problem: error.to_string() })
    }

    fn error(&self, column: Option<&'static str>, problem: impl Into<String>) -> LineError {
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
        let mut lines = Lines::new(file.as_bytes()).map_err(|error| error.to_string())?;
        let mut found = Vec::new();
        while let Some(line) = lines.next().map_err(|error| error.to_string())? {
            found.push(line);
        }
        Ok(found)
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
