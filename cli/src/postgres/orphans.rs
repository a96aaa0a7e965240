//! What a server's first process leaves behind when it is killed, by the kernel's want of memory for example.
//!
//! Its other processes find out when they next wait for something, and end. One that computes for minutes, is stopped, or waits for
//! a lock in shared memory that nobody is left to give, stays, and PostgreSQL refuses to start beside it ("pre-existing
//! shared memory block is still in use"), for as long as it is there.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long a process that was killed may take to be gone; what takes longer is in the way of this start, and not of the next.
const DYING_TIMEOUT: Duration = Duration::from_millis(500);

/// How often to look whether they are gone.
const POLL: Duration = Duration::from_millis(5);

/// Ends the processes of PostgreSQL that work in this folder, whose first one is gone. They could commit nothing any more,
/// and the start that follows recovers, as after any crash.
pub(super) fn end(data: &Path) {
    let left = processes_in(data);
    if left.is_empty() {
        return;
    }
    let numbers: Vec<_> = left.iter().map(|pid| pid.as_raw_nonzero()).collect();
    tracing::warn!(processes = ?numbers, "processes of a PostgreSQL whose first one is gone are ended, to start it again");
    for pid in left {
        if let Err(error) = kill_process(pid, Signal::KILL) {
            tracing::debug!(%error, ?pid, "it has ended by itself");
        }
    }
    let killed = Instant::now();
    while !processes_in(data).is_empty() && killed.elapsed() < DYING_TIMEOUT {
        sleep(POLL);
    }
}

/// As far as this account may see; a server's processes work in the folder of its data. A zombie works nowhere.
fn processes_in(data: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let works_here = |pid: &i32| {
        let is_postgres = fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres");
        is_postgres && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data)
    };
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(works_here).filter_map(Pid::from_raw).collect()
}
