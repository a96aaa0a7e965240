//! What the participants write down: one append-only file of JSON lines for each, kept by a line for each thing seen.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::jobs::Told;

/// One claim of a job: the fencing token that the queue gave out for it. It reaches the job in its payload, where a
/// trigger of the test's database puts it (witness.sql).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) epoch: i32,
    /// The lease under which it was made.
    pub(super) owner: Uuid,
    /// When, in µs. A claim that a crash of the server undid may be made again by the same owner with the same epoch.
    pub(super) at_us: i64,
}

/// How a run ended, as the job sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum How {
    Succeeded,
    Retry,
    Snooze,
    Cancel,
    Discard,
    /// From outside: a panic, a timeout, a lost lease, a stop.
    Dropped,
}

/// Something that a participant saw or did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum What {
    /// A process has started.
    Started,
    /// An enqueuer is about to enqueue these, in one transaction.
    Invoked(Vec<(Uuid, Told)>),
    /// The commit was answered; these jobs had been created.
    Acknowledged(Vec<Uuid>),
    /// These certainly do not exist: the commit was never sent, or they were answered not to be created.
    Refused(Vec<Uuid>),
    /// The commit was sent, and no answer came.
    Unknown(Vec<Uuid>),
    Begun {
        job: Uuid,
        attempt: u32,
        claim: Claim,
    },
    /// The job has had its effect outside the database.
    Did {
        job: Uuid,
        claim: Claim,
    },
    Ended {
        job: Uuid,
        claim: Claim,
        how: How,
    },
    /// The process of this number is gone, killed or ended.
    Gone {
        pid: i32,
    },
    /// Somebody who knew that the process was gone gave up this lease of it.
    Released {
        process: Uuid,
    },
    /// The server was crashed, or is about to be: what was not flushed is lost.
    Crash,
    /// Anything else that the adversary did.
    Fault(String),
}

/// An event and its circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    /// When, in µs since 1970 by the machine's clock, which is the database's, since both are on one machine. It is
    /// read by system call, so that a process whose clock is shifted writes the true time all the same.
    pub(super) at_us: i64,
    pub(super) pid: i32,
    pub(super) what: What,
}

/// The machine's clock, in µs since 1970.
pub(super) fn now_us() -> i64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// A participant's file.
#[derive(Debug)]
pub(super) struct Diary {
    file: Mutex<File>,
}

impl Diary {
    pub(super) fn open(path: &Path) -> Diary {
        let file = File::options().create(true).append(true).open(path).unwrap();
        Diary { file: Mutex::new(file) }
    }

    /// Writes that this happens now. It is with the kernel when this returns, so a kill takes nothing of it away.
    pub(super) fn note(&self, what: What) {
        self.note_at(now_us(), what);
    }

    pub(super) fn note_at(&self, at_us: i64, what: What) {
        let pid = i32::try_from(std::process::id()).expect("Linux counts processes in 22 bits");
        let mut line = serde_json::to_string(&Event { at_us, pid, what }).unwrap();
        line.push('\n');
        self.file.lock().unwrap().write_all(line.as_bytes()).unwrap();
    }
}

/// The events of all files of a folder, in the order of time.
pub(super) fn read_all(folder: &Path) -> Vec<Event> {
    let mut events = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            match serde_json::from_str(line) {
                Ok(event) => events.push(event),
                // A kill may have come in the middle of the last line.
                Err(_) if lines.peek().is_none() && !text.ends_with('\n') => {}
                Err(error) => panic!("{}: {error}: {line}", path.display()),
            }
        }
    }
    events.sort_by_key(|event: &Event| event.at_us);
    events
}
