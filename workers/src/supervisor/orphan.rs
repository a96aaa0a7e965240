//! Ends a child whose supervisor is gone and whose runtime cannot end it any more.
//!
//! An orphan drains when it sees the end of its lifeline, or the kernel's signal; but a runtime that is stuck sees
//! neither. So a thread that does nothing else waits for the same end, gives the drain its time, and ends the process.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::{EXIT_GIVEN_UP, lifeline};

/// Ends this process `patience` after its supervisor, if it has one, is gone.
///
/// # Errors
/// When the thread cannot be started.
pub fn end_late_orphan(patience: Duration) -> io::Result<()> {
    if std::env::var_os(lifeline::VARIABLE).is_none() {
        return Ok(());
    }
    let line = io::stdin().as_fd().try_clone_to_owned()?;
    let wait = move || {
        let mut ends = [PollFd::new(&line, PollFlags::RDHUP)];
        // Questions arrive on the line as well, and do not wake this.
        while let Err(rustix::io::Errno::INTR) = poll(&mut ends, None) {}
        std::thread::sleep(patience);
        // Nothing is written: the log went through the supervisor.
        std::process::exit(i32::from(EXIT_GIVEN_UP));
    };
    std::thread::Builder::new().name("orphan".to_owned()).spawn(wait)?;
    Ok(())
}
