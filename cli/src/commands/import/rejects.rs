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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole_or_stays_as_it_was() {
        let folder = std::env::temp_dir().join(format!("bn-rejects-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("rejects.csv");
        let line = Refused { number: 7, reason: "no_customer".to_owned(), text: "1,A,\"x, y\"".to_owned() };
        write(&path, &[line]).unwrap();
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(written, "line,reason,text\n7,no_customer,\"1,A,\"\"x, y\"\"\"\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
        // Where the new file cannot be begun, the old one stays.
        fs::create_dir(folder.join("rejects.csv.part")).unwrap();
        write(&path, &[]).unwrap_err();
        assert_eq!(fs::read_to_string(&path).unwrap(), written);
        fs::remove_dir_all(&folder).unwrap();
    }
}
