//! The life of one slot: start, wait, report, back off, start again.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::lifeline::{self, Line};
use super::policy::{Policy, Streak, Verdict, Window};
use super::report::{Event, Exit};
use super::spawn::die_with_parent;
use super::spec::ChildSpec;

/// One child and what decides over it.
pub(super) struct Slot {
    pub(super) spec: ChildSpec,
    pub(super) policy: Policy,
    pub(super) window: Arc<Mutex<Window>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) stop: CancellationToken,
    pub(super) given_up: CancellationToken,
    pub(super) line: watch::Sender<Option<Arc<Line>>>,
}

impl Slot {
    /// Runs until the child is stopped or given up.
    pub(super) async fn keep(self) {
        let mut streak = Streak::default();
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            match self.start() {
                Ok(child) => self.attend(child, started).await,
                Err(error) => tracing::error!(slot = self.spec.name, %error, "child did not start"),
            }
            if self.stop.is_cancelled() {
                return;
            }
            match self.verdict(&mut streak, started) {
                Verdict::Restart(wait) => self.stop.run_until_cancelled(sleep(wait)).await,
                Verdict::GiveUp => return self.give_up(),
            };
        }
    }

    /// Forks the child; on the main thread, as the supervisor's docs demand.
    fn start(&self) -> io::Result<Child> {
        let mut command = (self.spec.command)();
        die_with_parent(&mut command, self.spec.orphan_signal, self.spec.session);
        command.env_remove(lifeline::VARIABLE).stdin(Stdio::null());
        if self.spec.lifeline {
            let (line, theirs) = Line::new()?;
            command.env(lifeline::VARIABLE, "1").stdin(theirs);
            self.line.send_replace(Some(Arc::new(line)));
        }
        // The command holds the child's end of the line, and has to be dropped for the end of the child to show.
        Command::from(command).spawn()
    }

    /// Waits until the child has ended, and has it end when the slot is stopped.
    async fn attend(&self, mut child: Child, started: Instant) {
        let pid = child.id().expect("a child that was not waited for has an id");
        self.tell(Event::Started { name: self.spec.name.clone(), pid });
        let status = match self.stop.run_until_cancelled(child.wait()).await {
            Some(status) => status,
            None => self.end(&mut child).await,
        };
        self.line.send_replace(None);
        let status = status.expect("waiting for a child of our own works");
        let asked = self.stop.is_cancelled();
        let exit = Exit { name: self.spec.name.clone(), pid, status, uptime: started.elapsed(), asked };
        exit.log();
        self.tell(Event::Ended(exit));
    }

    /// Asks the child to end, and kills it with its group when its grace is over.
    async fn end(&self, child: &mut Child) -> io::Result<std::process::ExitStatus> {
        self.signal(child, self.spec.stop_signal, kill_process);
        if let Ok(status) = timeout(self.spec.grace, child.wait()).await {
            return status;
        }
        tracing::warn!(slot = self.spec.name, grace = ?self.spec.grace, "child did not stop in time and is killed");
        self.signal(child, Signal::KILL, kill_process_group);
        child.wait().await
    }

    /// Sends a signal to a child that has not been waited for, so that its id cannot mean another process.
    fn signal(&self, child: &Child, signal: Signal, send: fn(Pid, Signal) -> rustix::io::Result<()>) {
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(Err(error)) = pid.map(|pid| send(pid, signal)) {
            tracing::warn!(slot = self.spec.name, %error, "signalling a child failed");
        }
    }

    /// What follows the child's death, from its own record and from that of all children.
    fn verdict(&self, streak: &mut Streak, started: Instant) -> Verdict {
        let now = Instant::now();
        let admitted = self.window.lock().expect("nothing panics while it holds the window").admit(now);
        let verdict = streak.died(&self.policy, now.duration_since(started));
        if admitted { verdict } else { Verdict::GiveUp }
    }

    fn give_up(&self) {
        tracing::error!(slot = self.spec.name, "child dies again and again; giving up");
        self.tell(Event::GivenUp { name: self.spec.name.clone() });
        self.given_up.cancel();
    }

    /// Nobody has to listen.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}
