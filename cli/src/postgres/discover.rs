//! Finds PostgreSQL's programs on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// The oldest major version that is accepted.
pub const MAJOR_MIN: u32 = 14;

/// One installation of PostgreSQL's server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The folder with `initdb` and `postgres`.
    pub bin: PathBuf,
    /// Its major version, such as 15.
    pub major: u32,
    /// Its whole version, such as `15.18`.
    pub version: String,
}

/// The newest installation of at least [`MAJOR_MIN`].
///
/// # Errors
/// When there is none; the text says where it looked and what to do.
pub fn newest() -> Result<Installation> {
    let mut found: Vec<_> = candidates().iter().filter_map(|bin| inspect(bin)).collect();
    found.retain(|installation| installation.major >= MAJOR_MIN);
    found.sort_by_key(|installation| installation.major);
    found.pop().context("no PostgreSQL 14 or newer found on this machine")
}

/// Folders worth a look, in no order.
fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    if let Ok(entries) = fs::read_dir("/usr/lib/postgresql") {
        folders.extend(entries.flatten().map(|entry| entry.path().join("bin")));
    }
    folders
}

/// The installation in `bin`, if both server programs are there and one tells its version.
pub fn inspect(bin: &Path) -> Option<Installation> {
    if !bin.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().nth(2)?.to_owned();
    let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Some(Installation { bin: bin.to_owned(), major, version })
}
