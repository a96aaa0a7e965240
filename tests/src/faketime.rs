//! Another clock for a process: `libfaketime`, of Debian's package `faketime`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The library, if it is there; otherwise says what goes untested.
pub fn library(untested: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    let library = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    if library.is_none() {
        println!("{untested}: libfaketimeMT.so.1 is not there (Debian's package faketime)");
    }
    library
}

/// A clock that is as far from the true one as the file says.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    preload: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that is right at first.
    pub(crate) fn new(library: &Path, file: PathBuf) -> Clock {
        let clock = Clock { preload: library.to_owned(), file };
        clock.set(0);
        clock
    }

    /// Puts it forward or back, to so many seconds from the true one.
    pub(crate) fn set(&self, seconds: i64) {
        // Renamed, so that nobody reads half of it.
        let whole = self.file.with_extension("new");
        std::fs::write(&whole, format!("{seconds:+}s\n")).expect("the folder is ours");
        std::fs::rename(whole, &self.file).expect("the folder is ours");
    }

    /// Gives it to a process that is about to start, and all below it. Waiting goes on as before.
    pub(crate) fn give(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.preload).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
