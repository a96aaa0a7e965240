//! Keeps child processes running: starts them, restarts what dies, stops them in order, leaves no orphan.
//!
//! The shape is the one_for_one supervisor of Erlang/OTP, over operating-system processes:
//! - each child has a [`ChildSpec`] and a slot of its own; the death of one does not touch the others;
//! - a restart waits 100 ms · 2^k, at most 30 s, and k starts again once a child has lived for ten seconds ([`policy`]);
//! - too many restarts in a window, or too many early deaths in a row, and the supervisor gives up: its process then
//!   exits with [`EXIT_GIVEN_UP`], so that whatever runs it sees that something is wrong with more than one job;
//! - one that is silent, because it is stopped or stuck, is killed and started again; one that has too much memory is
//!   replaced: a successor is at work before it is asked to end (`vitals`, [`slot`]);
//! - a child never outlives its supervisor, not even a killed one: the kernel signals it ([`spawn`]), and it sees the
//!   end of its standard input ([`lifeline`]), even when it is stuck ([`orphan`]).
//!
//! **The supervisor must run on the main thread of its process, on a current-thread runtime**: the kernel's signal on
//! the parent's death is bound to the thread that forked, and would come when a pool thread ends.

pub mod lifeline;
pub mod measures;
mod memory;
pub mod orphan;
mod output;
pub mod policy;
pub mod pool;
mod process;
pub mod report;
pub mod signals;
pub mod slot;
pub mod spawn;
pub mod spec;
mod systemd;
mod vitals;

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::lifeline::Line;
use self::policy::{Policy, Streak, Window};
use self::report::Event;
use self::slot::{Current, NotReplaced, Replaced, Slot};
pub use self::spec::{Care, ChildSpec};

/// The exit status of a supervisor that gave up: `EX_SOFTWARE` of sysexits.h.
pub const EXIT_GIVEN_UP: u8 = 70;

/// Starts children and counts their restarts.
#[derive(Debug)]
pub struct Supervisor {
    policy: Policy,
    window: Arc<Mutex<Window>>,
    events: mpsc::UnboundedSender<Event>,
    given_up: CancellationToken,
}

/// A child that is kept running.
#[derive(Debug)]
pub struct Kept {
    stop: CancellationToken,
    ended: CancellationToken,
    orders: mpsc::Sender<Replaced>,
    current: watch::Receiver<Option<Current>>,
}

impl Supervisor {
    /// A supervisor without children; what happens to them is told through the receiver.
    pub fn new(policy: Policy) -> (Supervisor, mpsc::UnboundedReceiver<Event>) {
        let (events, receiver) = mpsc::unbounded_channel();
        let window = Arc::new(Mutex::new(Window::new(&policy)));
        (Supervisor { policy, window, events, given_up: CancellationToken::new() }, receiver)
    }

    /// Starts a child and keeps it running until it is stopped or the supervisor gives up.
    pub fn keep(&self, spec: ChildSpec) -> Kept {
        let stop = CancellationToken::new();
        let (current_sender, current) = watch::channel(None);
        let (order_sender, orders) = mpsc::channel(1);
        spec.log();
        let slot = Slot {
            spec: Arc::new(spec),
            policy: self.policy.clone(),
            window: Arc::clone(&self.window),
            events: self.events.clone(),
            stop: stop.clone(),
            given_up: self.given_up.clone(),
            orders,
            current: current_sender,
            leaving: JoinSet::new(),
            recycled: Streak::default(),
        };
        let ended = CancellationToken::new();
        // Dropped with the task, however that ends.
        let guard = ended.clone().drop_guard();
        tokio::spawn(async move {
            slot.keep().await;
            drop(guard);
        });
        Kept { stop, ended, orders: order_sender, current }
    }

    /// Waits until the supervisor gives up; for ever if it never does.
    pub async fn given_up(&self) {
        self.given_up.cancelled().await;
    }
}

impl Kept {
    /// The line to the child that runs now; none between a death and the restart, or for a child without one.
    pub fn line(&self) -> Option<Arc<Line>> {
        self.current.borrow().as_ref()?.line.clone()
    }

    /// The process that runs now; none between a death and the restart.
    pub fn current(&self) -> Option<Current> {
        self.current.borrow().clone()
    }

    /// Puts a new process in the child's place: that one is at work before the old one is asked to end. Returns when the
    /// old one has ended.
    ///
    /// # Errors
    /// When the new one was not at work in time; then the old one goes on.
    pub async fn replace(&self) -> Result<(), NotReplaced> {
        let (order, replaced) = oneshot::channel();
        self.orders.send(order).await.map_err(|_| NotReplaced::Stopped)?;
        replaced.await.unwrap_or(Err(NotReplaced::Stopped))
    }

    /// Asks the child to end, kills it when its grace is over, and waits until it is gone.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}
