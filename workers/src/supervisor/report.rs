//! What a supervisor tells of its children.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// Something that happened to a child.
#[derive(Debug, Clone)]
pub enum Event {
    /// It runs.
    Started {
        /// Its slot.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// It ended.
    Ended(Exit),
    /// It is not started again, and the supervisor has given up.
    GivenUp {
        /// Its slot.
        name: String,
    },
}

/// The end of one child process.
#[derive(Debug, Clone)]
pub struct Exit {
    /// Its slot.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// How it ended.
    pub status: ExitStatus,
    /// How long it ran.
    pub uptime: Duration,
    /// Whether it had been asked to.
    pub asked: bool,
}

impl Exit {
    /// Writes the crash report, one line; an end that was asked for is no crash.
    pub(super) fn log(&self) {
        let (slot, pid, uptime_ms) = (&self.name, self.pid, self.uptime.as_millis());
        let (code, signal) = (self.status.code(), self.status.signal());
        if self.asked {
            tracing::info!(slot, pid, code, signal, uptime_ms, "child stopped");
        } else {
            tracing::error!(slot, pid, code, signal, uptime_ms, "child died");
        }
    }
}
