//! One running child process, from its start to its end.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::lifeline::{self, Line};
use super::output::Output;
use super::report::{Cause, Exit};
use super::spawn::die_with_parent;
use super::spec::ChildSpec;
use super::vitals::{Sign, Vitals};

/// How long a silent child may take to end by SIGABRT, which leaves a core to look at where that is wanted.
const ABORT_TIMEOUT: Duration = Duration::from_secs(1);

/// By what a service manager knows its own child, which is not ours.
const SERVICE_MANAGER: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// A child that runs, or has ended and was not waited for.
#[derive(Debug)]
pub(super) struct Process {
    spec: Arc<ChildSpec>,
    child: Child,
    pub(super) pid: u32,
    pub(super) started: Instant,
    pub(super) line: Option<Arc<Line>>,
    pub(super) vitals: Vitals,
    output: Option<Output>,
}

/// What happens to a process.
pub(super) enum Happened {
    Ended(ExitStatus),
    Sign(Sign),
}

impl Process {
    /// Forks it; on the main thread, as the supervisor's docs demand.
    pub(super) fn start(spec: &Arc<ChildSpec>) -> io::Result<Process> {
        let mut command = (spec.command)();
        die_with_parent(&mut command, spec.orphan_signal, spec.session);
        for name in SERVICE_MANAGER {
            command.env_remove(name);
        }
        command.env_remove(lifeline::VARIABLE).stdin(Stdio::null());
        let mut line = None;
        if spec.lifeline {
            let (ours, theirs) = Line::new()?;
            command.env(lifeline::VARIABLE, "1").stdin(theirs);
            line = Some(Arc::new(ours));
        }
        if spec.copies_output {
            command.stderr(Stdio::piped());
        }
        // The command holds the child's end of the line, and has to be dropped for the end of the child to show.
        let mut child = Command::from(command).spawn()?;
        let pid = child.id().expect("a child that was not waited for has an id");
        let output = child.stderr.take().map(Output::copy);
        let vitals = Vitals::new(pid, line.clone(), spec.care.clone());
        Ok(Process { spec: Arc::clone(spec), child, pid, started: Instant::now(), line, vitals, output })
    }

    /// Looks after it until something happens; may be dropped and asked again.
    pub(super) async fn happens(&mut self) -> Happened {
        tokio::select! {
            status = self.child.wait() => Happened::Ended(status.expect("waiting for a child of our own works")),
            sign = self.vitals.next() => Happened::Sign(sign),
        }
    }

    /// Waits until it has ended; may be dropped and asked again.
    pub(super) async fn wait(&mut self) -> ExitStatus {
        self.child.wait().await.expect("waiting for a child of our own works")
    }

    /// Asks it to end, and kills it with its group when its grace is over.
    pub(super) async fn end(mut self) -> Exit {
        self.signal(self.spec.stop_signal, kill_process);
        let (grace, mut cause) = (self.spec.grace, Cause::Asked);
        let ended = timeout(grace, self.wait()).await;
        let status = match ended {
            Ok(status) => status,
            Err(_) => {
                tracing::warn!(child = self.spec.name, ?grace, "child did not stop in time and is killed");
                cause = Cause::Overdue;
                self.kill().await
            }
        };
        self.exit(status, cause).await
    }

    /// Ends it without asking.
    pub(super) async fn abort(mut self) -> Exit {
        self.signal(Signal::ABORT, kill_process);
        let aborted = timeout(ABORT_TIMEOUT, self.wait()).await;
        let status = match aborted {
            Ok(status) => status,
            // One that is stopped does not take any other signal.
            Err(_) => self.kill().await,
        };
        self.exit(status, Cause::Silent).await
    }

    async fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL, kill_process_group);
        self.wait().await
    }

    /// What there is to tell of it once it has ended.
    pub(super) async fn exit(self, status: ExitStatus, cause: Cause) -> Exit {
        let uptime = self.started.elapsed();
        let last_lines = match self.output {
            Some(output) => output.last_lines().await,
            None => Vec::new(),
        };
        let (name, rss_max) = (self.spec.name.clone(), self.vitals.rss_max);
        let exit = Exit { name, pid: self.pid, status, cause, uptime, rss_max, last_lines };
        exit.log();
        exit
    }

    /// Sends a signal to a child that has not been waited for, so that its id cannot mean another process.
    fn signal(&self, signal: Signal, send: fn(Pid, Signal) -> rustix::io::Result<()>) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(Err(error)) = pid.map(|pid| send(pid, signal)) {
            tracing::warn!(child = self.spec.name, %error, "signalling a child failed");
        }
    }
}
