//! Reading the files of an export line by line; what is wrong with a line is named, and the line left out.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::line::Line;
use crate::verify::{Finding, VerifyError};

/// A file that is read from its beginning.
pub(super) struct Lines {
    name: &'static str,
    path: String,
    file: BufReader<File>,
    line: Vec<u8>,
    /// The line that was read last, from 1.
    number: u64,
}

impl Lines {
    pub(super) fn open(folder: &Path, name: &'static str) -> Result<Lines, VerifyError> {
        let path = folder.join(name);
        let shown = path.display().to_string();
        let file = File::open(&path).map_err(|error| VerifyError::File { path: shown.clone(), error })?;
        let file = BufReader::with_capacity(1 << 18, file);
        Ok(Lines { name, path: shown, file, line: Vec::new(), number: 0 })
    }

    /// The next line, without its end; none at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, VerifyError> {
        self.line.clear();
        let read = self.file.read_until(b'\n', &mut self.line);
        read.map_err(|error| VerifyError::File { path: self.path.clone(), error })?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        // The last line has an end too; without it, it is not whole and cannot be read.
        Ok(Some(self.line.strip_suffix(b"\n").unwrap_or(b"")))
    }

    /// Says that the line which was read last is wrong.
    pub(super) fn finding(&self, problem: &'static str) -> Finding {
        Finding::Line { file: self.name.to_owned(), line: self.number, problem }
    }
}

/// Reads all lines of a kind, in their order.
pub(super) fn for_each<L: Line>(
    folder: &Path,
    findings: &mut Vec<Finding>,
    mut take: impl FnMut(L),
) -> Result<(), VerifyError> {
    let mut lines = Lines::open(folder, L::FILE)?;
    let mut last = None;
    while let Some(line) = next::<L>(&mut lines, findings)? {
        let key = line.key();
        if last.is_some_and(|last| last >= key) {
            findings.push(lines.finding("it does not come after the line before it"));
        }
        last = Some(key);
        take(line);
    }
    Ok(())
}

/// The next line that can be read.
pub(super) fn next<L: Line>(lines: &mut Lines, findings: &mut Vec<Finding>) -> Result<Option<L>, VerifyError> {
    while let Some(text) = lines.next_line()? {
        match L::read(text) {
            Some(line) => return Ok(Some(line)),
            None => findings.push(lines.finding("it is not as an export writes it")),
        }
    }
    Ok(None)
}
