//! Where this program is, to start it again: a release that has been put in its place meanwhile is what then runs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

/// What the kernel adds to the path of a program whose file is gone.
const DELETED: &str = " (deleted)";

/// The path by which this program was called, unresolved, so that a link that is moved to another release leads there;
/// where that is not known, the path of its file.
///
/// # Errors
/// When the system does not tell.
pub fn path() -> io::Result<PathBuf> {
    let file = undeleted(std::env::current_exe()?);
    let called = std::env::args_os().next().and_then(|name| located(&name));
    Ok(called.filter(|called| is_same(called, &file)).unwrap_or(file))
}

/// The absolute path of a program that was called by this name.
fn located(name: &OsStr) -> Option<PathBuf> {
    if name.to_string_lossy().contains('/') {
        return std::path::absolute(name).ok();
    }
    let folders: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// The path that the file had, and that a new one may have now.
fn undeleted(file: PathBuf) -> PathBuf {
    let text = file.to_string_lossy();
    match text.strip_suffix(DELETED) {
        Some(path) if !file.exists() => PathBuf::from(path.to_owned()),
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_replaced_is_looked_for_by_its_own_name() {
        assert_eq!(undeleted("/opt/no/bitnexus (deleted)".into()), Path::new("/opt/no/bitnexus"));
        assert_eq!(undeleted("/opt/no/bitnexus".into()), Path::new("/opt/no/bitnexus"));
    }

    #[test]
    fn this_program_finds_itself() {
        assert!(is_same(&path().unwrap(), &std::env::current_exe().unwrap()));
        assert!(located(OsStr::new("sh")).is_some_and(|path| path.is_absolute()));
    }
}
