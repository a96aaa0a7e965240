//! The life of one slot: start, look after, report, back off, start again; and put a successor in a child's place.

use std::process::ExitStatus;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::lifeline::Line;
use super::policy::{Policy, Streak, Verdict, Window};
use super::process::{Happened, Process};
use super::report::{Cause, Event, Reason};
use super::spec::{Care, ChildSpec};
use super::vitals::Sign;

/// Why a successor did not take the place of what runs.
#[derive(Debug, thiserror::Error)]
pub enum NotReplaced {
    /// Its program did not start.
    #[error("the new process did not start: {0}")]
    NotStarted(#[from] std::io::Error),
    /// It ended before it was at work.
    #[error("the new process ended before it was at work, with {0}")]
    Ended(ExitStatus),
    /// It was not at work in time.
    #[error("the new process was not at work within {0:?}")]
    Late(Duration),
    /// The slot is being stopped.
    #[error("the slot is being stopped")]
    Stopped,
}

/// What is told once an old process is gone, or its successor given up.
pub(super) type Replaced = oneshot::Sender<Result<(), NotReplaced>>;

/// The process that fills a slot now.
#[derive(Debug, Clone)]
pub struct Current {
    /// Its process id.
    pub pid: u32,
    /// The line to it, if it has one.
    pub line: Option<Arc<Line>>,
    /// Whether it is at work.
    pub is_ready: bool,
}

/// One child and what decides over it.
pub(super) struct Slot {
    pub(super) spec: Arc<ChildSpec>,
    pub(super) policy: Policy,
    pub(super) window: Arc<Mutex<Window>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) stop: CancellationToken,
    pub(super) given_up: CancellationToken,
    pub(super) orders: mpsc::Receiver<Replaced>,
    pub(super) current: watch::Sender<Option<Current>>,
    /// Processes whose places have been taken, while they end.
    pub(super) leaving: JoinSet<()>,
    /// How often in a row memory was the reason for a successor.
    pub(super) recycled: Streak,
}

/// What happens next to a process that is attended.
enum Next {
    Happened(Happened),
    Stop,
    Replace(Replaced),
}

impl Slot {
    /// Runs until the child is stopped or given up.
    pub(super) async fn keep(mut self) {
        let mut streak = Streak::default();
        while !self.stop.is_cancelled() {
            let mut started = Instant::now();
            match self.start() {
                Ok(process) => started = self.attend(process).await,
                Err(error) => tracing::error!(child = self.spec.name, %error, "child did not start"),
            }
            self.current.send_replace(None);
            if self.stop.is_cancelled() {
                break;
            }
            let Verdict::Restart(wait) = self.verdict(&mut streak, started) else {
                self.give_up();
                break;
            };
            self.stop.run_until_cancelled(sleep(wait)).await;
        }
        while self.leaving.join_next().await.is_some() {}
    }

    fn start(&self) -> std::io::Result<Process> {
        let process = Process::start(&self.spec)?;
        self.tell(Event::Started { name: self.spec.name.clone(), pid: process.pid });
        Ok(process)
    }

    /// Looks after the child, and its successors, until there is none; says when the last one was started.
    async fn attend(&mut self, mut process: Process) -> Instant {
        loop {
            self.show(&process);
            let next = tokio::select! {
                happened = process.happens() => Next::Happened(happened),
                () = self.stop.cancelled() => Next::Stop,
                Some(order) = self.orders.recv() => Next::Replace(order),
            };
            let started = process.started;
            let exit = match next {
                Next::Happened(Happened::Sign(Sign::Ready)) => {
                    self.tell(Event::Ready { name: self.spec.name.clone(), pid: process.pid });
                    continue;
                }
                Next::Happened(Happened::Sign(Sign::TooLarge(rss))) => {
                    process = self.recycle(process, rss).await;
                    continue;
                }
                Next::Replace(order) => {
                    process = self.replace(process, Reason::Rolling, order).await;
                    continue;
                }
                Next::Happened(Happened::Ended(status)) => process.exit(status, Cause::Died).await,
                Next::Happened(Happened::Sign(Sign::Silent)) => process.abort().await,
                Next::Stop => process.end().await,
            };
            self.tell(Event::Ended(exit));
            return started;
        }
    }

    fn show(&self, process: &Process) {
        let current = Current { pid: process.pid, line: process.line.clone(), is_ready: process.vitals.is_ready };
        self.current.send_replace(Some(current));
    }

    /// Replaces a process that has too much memory; where each of them has that soon, ever more seldom.
    async fn recycle(&mut self, process: Process, rss: u64) -> Process {
        let (slot, pid) = (self.spec.name.as_str(), process.pid);
        tracing::warn!(
            child = slot,
            child_pid = pid,
            rss_bytes = rss,
            "child has more memory than it may and is replaced"
        );
        let wait = match self.recycled.died(&self.policy, process.started.elapsed()) {
            Verdict::Restart(wait) => wait,
            Verdict::GiveUp => self.policy.backoff_cap,
        };
        let (order, replaced) = oneshot::channel();
        // Nobody waits for the old one to be gone.
        drop(replaced);
        let mut process = self.replace(process, Reason::Memory, order).await;
        process.vitals.memory_from = tokio::time::Instant::now() + wait;
        process
    }

    /// Starts a successor, and has the process end once that is at work. Returns who fills the slot then.
    async fn replace(&mut self, mut old: Process, reason: Reason, order: Replaced) -> Process {
        let mut new = match self.start() {
            Ok(new) => new,
            Err(error) => {
                tell(order, Err(NotReplaced::NotStarted(error)));
                return old;
            }
        };
        let ready_timeout = self.spec.care.as_ref().map_or(Care::default().ready_timeout, |care| care.ready_timeout);
        let refusal = tokio::select! {
            refusal = succeed(&mut new, ready_timeout) => refusal,
            status = old.wait() => {
                let exit = old.exit(status, Cause::Died).await;
                self.tell(Event::Ended(exit));
                tell(order, Ok(()));
                return new;
            }
            () = self.stop.cancelled() => Some(NotReplaced::Stopped),
        };
        match refusal {
            None => {
                self.tell(Event::Ready { name: self.spec.name.clone(), pid: new.pid });
                self.tell(Event::Replaced { name: self.spec.name.clone(), reason });
                self.retire(old, Some(order));
                new
            }
            Some(NotReplaced::Ended(status)) => {
                let exit = new.exit(status, Cause::Died).await;
                self.tell(Event::Ended(exit));
                tell(order, Err(NotReplaced::Ended(status)));
                old
            }
            Some(refusal) => {
                self.retire(new, None);
                tell(order, Err(refusal));
                old
            }
        }
    }

    /// Has a process end while another fills its slot.
    fn retire(&mut self, process: Process, order: Option<Replaced>) {
        let events = self.events.clone();
        self.leaving.spawn(async move {
            let exit = process.end().await;
            let _ = events.send(Event::Ended(exit));
            order.into_iter().for_each(|order| tell(order, Ok(())));
        });
        // Those that have gone leave nothing behind.
        while self.leaving.try_join_next().is_some() {}
    }

    /// What follows the child's death, from its own record and from that of all children.
    fn verdict(&self, streak: &mut Streak, started: Instant) -> Verdict {
        let now = Instant::now();
        let admitted = self.window.lock().expect("nothing panics while it holds the window").admit(now);
        let verdict = streak.died(&self.policy, now.duration_since(started));
        if admitted { verdict } else { Verdict::GiveUp }
    }

    fn give_up(&self) {
        tracing::error!(child = self.spec.name, "child dies again and again; giving up");
        self.tell(Event::GivenUp { name: self.spec.name.clone() });
        self.given_up.cancel();
    }

    /// Nobody has to listen.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

/// Waits until the process is at work; why not, if it does not come to that.
async fn succeed(process: &mut Process, patience: Duration) -> Option<NotReplaced> {
    match timeout(patience, process.happens()).await {
        Ok(Happened::Sign(Sign::Ready)) => None,
        Ok(Happened::Ended(status)) => Some(NotReplaced::Ended(status)),
        Ok(Happened::Sign(_)) | Err(_) => Some(NotReplaced::Late(patience)),
    }
}

/// Whoever gave the order may have gone.
fn tell(order: Replaced, result: Result<(), NotReplaced>) {
    let _ = order.send(result);
}
