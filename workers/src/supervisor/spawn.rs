//! Starts a child that cannot outlive its supervisor.
//!
//! This is the one place with `unsafe` code: between fork and exec, in the child, only a few system calls are sound,
//! and Rust cannot check that. The calls here are prctl(2), getppid(2) and setsid(2), which are async-signal-safe.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal, setsid};

/// Has the kernel send `signal` to the child when the thread that starts it ends.
///
/// The standard library changes the user id before it runs this, which matters: that change would clear the setting.
/// A parent that died in between is noticed by the changed parent id, and then the child does not start.
pub fn die_with_parent(command: &mut Command, signal: Signal, session: bool) {
    let parent = getpid();
    let before_exec = move || {
        if session {
            setsid()?;
        }
        set_parent_process_death_signal(Some(signal))?;
        if getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    #[expect(unsafe_code, reason = "the closure makes async-signal-safe system calls only, and does not allocate")]
    // SAFETY: see the module's docs.
    unsafe {
        command.pre_exec(before_exec);
    }
    if !session {
        command.process_group(0);
    }
}
