//! The file of refused lines: complete or not there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::file::Refused;

/// Writes `refused` to `path` as CSV with the columns `line`, `reason` and `text`, through a file beside it, so
/// that nobody ever reads half of it.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(path: &Path, refused: &[Refused]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    write_rows(&beside, refused).with_context(|| format!("writing {}", beside.display()))?;
    fs::rename(&beside, path).with_context(|| format!("writing {}", path.display()))
}

fn write_rows(path: &Path, refused: &[Refused]) -> Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["line", "reason", "text"])?;
    for line in refused {
        writer.write_record([line.number.to_string().as_str(), &line.reason, &line.text])?;
    }
    writer.into_inner()?.sync_all()?;
    Ok(())
}
