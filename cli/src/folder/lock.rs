//! Two locks that let a folder have one `bitnexus up` at a time, and never two PostgreSQLs.
//!
//! `up.lock` belongs to the process `up` alone: if it is taken, another `up` runs here. `family.lock` is inherited by
//! every process that `up` starts, down to PostgreSQL's backends, and is free only when the last of them is gone: the
//! next `up` waits for what a killed one left behind. Both end with their processes, so neither can be stale.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};

use super::Folder;

/// How long a process that was just killed may take to be gone, after `kill` has returned.
const DYING_TIMEOUT: Duration = Duration::from_millis(300);

/// How long leftovers are waited for without a word.
const LEFTOVERS_QUIET: Duration = Duration::from_millis(500);

/// How often to look who is left.
const LEFTOVERS_LOOK: Duration = Duration::from_millis(100);

/// How long they may take by themselves: workers drain.
const LEFTOVERS_DRAIN: Duration = Duration::from_secs(14);

/// How long they may take in all.
const LEFTOVERS_TIMEOUT: Duration = Duration::from_secs(29);

/// How often to look whether they have ended.
const POLL: Duration = Duration::from_millis(20);

/// Both locks, held.
#[derive(Debug)]
pub struct Locks {
    _up: File,
    _family: File,
}

/// Who holds the locks.
#[derive(Debug)]
pub enum Attempt {
    /// This process now.
    Held(Locks),
    /// Another `up` that runs.
    Taken,
}

impl Locks {
    /// Takes the locks, and waits for leftovers of a killed `up`; `nudge` is called once to end a PostgreSQL that does
    /// not end by itself.
    ///
    /// # Errors
    /// When a leftover does not end in time; the text names it.
    pub async fn take(folder: &Folder, nudge: impl FnOnce() -> Result<()>) -> Result<Attempt> {
        let (up, family) = (open(folder, "up.lock")?, open(folder, "family.lock")?);
        if !try_lock_for(&up, DYING_TIMEOUT).await? {
            return Ok(Attempt::Taken);
        }
        if !try_lock_for(&family, LEFTOVERS_QUIET).await? {
            wait_for_leftovers(&family, nudge).await?;
        }
        fcntl_setfd(&family, FdFlags::empty()).context("having children inherit the lock")?;
        Ok(Attempt::Held(Locks { _up: up, _family: family }))
    }

    /// Whether an `up` runs in this folder now.
    pub fn is_taken(folder: &Folder) -> bool {
        let file = File::open(folder.path().join("up.lock"));
        // A shared lock, released at once: two that look must not take each other for an `up`.
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

/// Waits until nobody holds the lock. PostgreSQL is nudged when it alone is left, and some connection keeps it.
async fn wait_for_leftovers(family: &File, nudge: impl FnOnce() -> Result<()>) -> Result<()> {
    let (started, mut nudge) = (Instant::now(), Some(nudge));
    tracing::info!("waiting for processes of an earlier `bitnexus up` to end: {}", list(&holders(family)));
    while !try_lock_for(family, LEFTOVERS_LOOK).await? {
        let left = holders(family);
        let is_late = started.elapsed() > LEFTOVERS_DRAIN || left.iter().all(|holder| holder.name == "postgres");
        if let Some(nudge) = nudge.take_if(|_| is_late) {
            nudge()?;
        }
        if started.elapsed() > LEFTOVERS_TIMEOUT {
            bail!("processes of an earlier `bitnexus up` do not end: {}; end them with kill -9", list(&left));
        }
    }
    Ok(())
}

fn open(folder: &Folder, name: &str) -> Result<File> {
    let path = folder.path().join(name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    file.with_context(|| format!("opening {}; does the folder belong to another account?", path.display()))
}

/// Tries for as long as that; once more where it is held already.
async fn try_lock_for(file: &File, patience: Duration) -> Result<bool> {
    let deadline = Instant::now() + patience;
    while !try_lock(file)? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(true)
}

fn try_lock(file: &File) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).context("locking"),
    }
}

/// A process that holds the lock.
struct Holder {
    pid: u32,
    name: String,
}

/// The processes as a text.
fn list(holders: &[Holder]) -> String {
    holders.iter().map(|holder| format!("{} ({})", holder.pid, holder.name)).collect::<Vec<_>>().join(", ")
}

/// The processes that have this file open, as far as this account may see.
fn holders(file: &File) -> Vec<Holder> {
    let Ok(wanted) = file.metadata() else { return Vec::new() };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let processes = entries.filter_map(number).filter(|pid| *pid != std::process::id());
    let holds = |pid: &u32| {
        let mut files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let is_wanted = |found: fs::Metadata| found.ino() == wanted.ino() && found.dev() == wanted.dev();
        files.any(|file| fs::metadata(file.path()).is_ok_and(is_wanted))
    };
    let describe = |pid| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Holder { pid, name: name.trim().to_owned() }
    };
    processes.filter(holds).map(describe).collect()
}
