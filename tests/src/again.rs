//! The test program, started again as a process of its own: what a test of kills and stops is about.
//!
//! The other process runs one ignored test, which is no test but its main function.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// How often its end is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Another process of this program; it is killed when this is dropped.
#[derive(Debug)]
pub struct Again {
    process: Child,
}

impl Again {
    /// Starts it with this main function (such as `zombie::worker::run_as_a_worker`) and environment. What it prints is
    /// added to the log.
    pub fn start<'a>(main: &str, log: &Path, environment: impl IntoIterator<Item = (&'a str, OsString)>) -> Again {
        let log = File::options().create(true).append(true).open(log).expect("the log's folder is ours");
        let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
        command.args([main, "--exact", "--ignored", "--nocapture"]).envs(environment);
        // The pipe ends with this process, however that ends, and the other process with the pipe.
        command.stdin(Stdio::piped()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        // One that is stopped does not see the pipe's end. Alone in its group it is hung up by the kernel instead.
        command.process_group(0);
        Again { process: command.spawn().expect("this program starts") }
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).expect("Linux counts processes in 22 bits")
    }

    /// Stops it, and waits until its last thread stands: SIGSTOP alone returns while they may still run.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        // NOWAIT leaves the news for `std::process`, which would miss an end that was asked for here.
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(self.number()), stopped).expect("it is our child");
    }

    /// Has it go on after a stop.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.number(), signal).expect("it was not waited for yet");
    }

    fn number(&self) -> Pid {
        Pid::from_raw(self.pid()).expect("a process id")
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Asks it to end, and waits; false when it has not ended after this long.
    pub fn end(&mut self, patience: Duration) -> bool {
        drop(self.process.stdin.take());
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if self.has_ended() {
                return true;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        false
    }

    /// Its exit code, once it has ended by itself.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.process.try_wait().expect("it is our child")?.code()
    }

    /// Whether it has ended, by itself or otherwise.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("it is our child").is_some()
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.kill();
    }
}

/// For the other process: completes when it is asked to end, or whoever started it is gone.
pub async fn asked_to_end() {
    let (sender, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Nothing is ever written to it: the answer is its end.
        let _ = std::io::stdin().read(&mut [0]);
        drop(sender);
    });
    ended.await.unwrap_or_default();
}
