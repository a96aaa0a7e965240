//! An Online Retail file as a whole: its lines, sorted into those that can become transactions and those refused.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::line::{COLUMNS, Line, Reason};

/// A file that was read.
#[derive(Debug)]
pub struct File {
    /// Names the content, whatever the file is called: the first 16 hexadecimal digits of its SHA-256.
    pub hash: String,
    /// Lines below the header.
    pub read: u64,
    /// Lines that can become transactions, in order.
    pub lines: Vec<Line>,
    /// The others, in order.
    pub refused: Vec<Refused>,
    content: Vec<u8>,
}

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place in the file; the header is line 1.
    pub number: u64,
    /// The name of the reason: of a [`Reason`], or of the API's problem.
    pub reason: String,
    /// The line as it stands, without its line end.
    pub text: String,
}

impl File {
    /// Reads and sorts the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or its header is not that of an Online Retail file.
    pub fn read(path: &Path) -> Result<File> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        File::parse(&bytes).with_context(|| format!("{} is not an Online Retail file", path.display()))
    }

    /// The same, of its content.
    ///
    /// # Errors
    /// When its header is not that of an Online Retail file.
    pub fn parse(bytes: &[u8]) -> Result<File> {
        let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let mut numbered = (1..).zip(physical_lines(bytes));
        let (_, header) = numbered.next().context("it is empty")?;
        let expected = COLUMNS.join(",");
        let header = header.strip_prefix("\u{feff}".as_bytes()).unwrap_or(header);
        ensure!(header == expected.as_bytes(), "its first line has to be {expected}");
        let mut file = File { hash, read: 0, lines: Vec::new(), refused: Vec::new(), content: bytes.to_vec() };
        for (number, raw) in numbered {
            file.read += 1;
            match Line::parse(number, raw) {
                Ok(line) => file.lines.push(line),
                Err(reason) => file.refuse(number, reason, raw),
            }
        }
        assert_eq!(file.read, (file.lines.len() + file.refused.len()) as u64, "every line is accounted for");
        Ok(file)
    }

    fn refuse(&mut self, number: u64, reason: Reason, raw: &[u8]) {
        let text = String::from_utf8_lossy(raw).into_owned();
        self.refused.push(Refused { number, reason: reason.to_string(), text });
    }

    /// The line with this number as it stands, without its line end; empty if there is none.
    pub fn text(&self, number: u64) -> String {
        let mut numbered = (1..).zip(physical_lines(&self.content));
        let found = numbered.find(|(candidate, _)| *candidate == number);
        found.map(|(_, raw)| String::from_utf8_lossy(raw).into_owned()).unwrap_or_default()
    }
}

/// The lines of a file without their ends (LF or CR LF); what follows the last line end counts unless it is empty.
fn physical_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = (!bytes.is_empty()).then(|| whole.split(|byte| *byte == b'\n'));
    lines.into_iter().flatten().map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

    #[test]
    fn every_line_below_the_header_is_counted_with_its_place() {
        let text = format!(
            "{HEADER}\r\n1,A,x,1,12/1/10 8:26,1.00,17850,UK\r\n\n1,A,\"x,1,,,,\n2,B,y,2,12/1/10 8:26,1.00,17850,UK\n537"
        );
        let file = File::parse(text.as_bytes()).unwrap();
        assert_eq!(file.read, 5);
        assert_eq!(file.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(file.refused.iter().map(|refused| refused.number).collect::<Vec<_>>(), [3, 4, 6]);
        assert!(file.refused.iter().all(|refused| refused.reason == "truncated"));
    }

    #[test]
    fn the_hash_is_of_the_content() {
        let [one, same, other] =
            ["", "", "\n537"].map(|tail| File::parse(format!("{HEADER}{tail}").as_bytes()).unwrap());
        assert_eq!(one.hash, same.hash);
        assert_ne!(one.hash, other.hash);
        assert_eq!(one.hash.len(), 16);
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(File::parse(b"").unwrap_err().to_string(), "it is empty");
        assert!(File::parse(b"a,b,c\n1,2,3\n").unwrap_err().to_string().starts_with("its first line has to be Inv"));
    }
}
