//! Verifying an export: the same fold as for a database, without one.

use std::path::Path;

use futures::FutureExt as _;

use super::digest::{HASHED, Manifest, hash};
use super::source::ExportSource;
use crate::Book;
use crate::keys::VerifierKey;
use crate::verify::{Finding, Progress, Report, VerifyError, run};

/// Which book an export is of.
///
/// # Errors
/// When the folder has no whole export.
pub fn book(folder: &Path) -> Result<Book, VerifyError> {
    Ok(Manifest::read(folder)?.book())
}

/// Verifies an export as [`crate::verify::verify`] does a database, and that each line is as an export writes it.
///
/// # Errors
/// When the folder has no whole export or a file cannot be read. What is wrong with the ledger is a [`Finding`].
pub fn verify(folder: &Path, keys: &[VerifierKey], progress: impl FnMut(Progress)) -> Result<Report, VerifyError> {
    let manifest = Manifest::read(folder)?;
    let head = manifest.head().ok_or_else(|| VerifyError::NotAnExport(folder.display().to_string()))?;
    let mut source = ExportSource::open(folder, manifest.book(), head)?;
    for file in HASHED {
        if manifest.files.get(file) != Some(&hash(&folder.join(file))?) {
            let problem = "the file does not hash to what book.json says";
            source.findings.push(Finding::Line { file: file.to_owned(), line: 0, problem });
        }
    }
    assert_eq!(manifest.files.len(), HASHED.len(), "a manifest that is read names each file");
    run(&mut source, keys, progress).now_or_never().expect("files are read at once")
}
