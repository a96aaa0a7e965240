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
    /// It is at work.
    Ready {
        /// Its slot.
        name: String,
        /// Its process id.
        pid: u32,
    },
    /// Another process has taken its place.
    Replaced {
        /// Its slot.
        name: String,
        /// Why.
        reason: Reason,
    },
    /// It ended.
    Ended(Exit),
    /// It is not started again, and the supervisor has given up.
    GivenUp {
        /// Its slot.
        name: String,
    },
}

/// Why a process was replaced that had not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It had more memory than it may.
    Memory,
    /// All are replaced, one after the other.
    Rolling,
}

/// Why a child ended, as its supervisor sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It had been asked to.
    Asked,
    /// By itself, or by a signal of somebody else's.
    Died,
    /// It gave no sign of life and was killed.
    Silent,
    /// It had been asked to, did not in time, and was killed.
    Overdue,
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
    /// Why.
    pub cause: Cause,
    /// How long it ran.
    pub uptime: Duration,
    /// The most memory that it was seen to have resident, in bytes.
    pub rss_max: Option<u64>,
    /// The last lines of its standard error, if that went through the supervisor.
    pub last_lines: Vec<String>,
}

impl Exit {
    /// Whether it had been asked to end.
    pub fn is_asked(&self) -> bool {
        matches!(self.cause, Cause::Asked | Cause::Overdue)
    }

    /// Writes the crash report, one line; an end that was asked for is no crash.
    pub(super) fn log(&self) {
        let (child, child_pid, uptime_ms, rss_bytes_max) =
            (&self.name, self.pid, self.uptime.as_millis(), self.rss_max);
        let (code, signal) = (self.status.code(), self.status.signal());
        match self.cause {
            Cause::Asked => tracing::info!(child, child_pid, code, signal, uptime_ms, "child stopped"),
            Cause::Overdue => tracing::error!(child, child_pid, uptime_ms, "child did not stop in time and was killed"),
            Cause::Silent => {
                tracing::error!(
                    child,
                    child_pid,
                    code,
                    signal,
                    uptime_ms,
                    rss_bytes_max,
                    "child gave no sign of life and was killed"
                );
            }
            Cause::Died => {
                let last_line = self.last_lines.last();
                tracing::error!(child, child_pid, code, signal, uptime_ms, rss_bytes_max, last_line, "child died");
            }
        }
    }
}
