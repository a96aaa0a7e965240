//! The worker role: a supervisor over equal worker processes, one to a slot, behind one metrics page.
//!
//! An operator can have one process more or less, and a new process in the place of each ([`Order`]).

mod roll;
mod slots;
mod watch;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::BoxFuture;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use self::roll::Rolling;
use self::slots::Slots;
use super::policy::Policy;
use super::report::Exit;
use super::signals::Order;
use super::systemd::Systemd;
use super::{Care, Supervisor, measures};
use crate::metrics::page::{self, Bound, Sources};

/// How many processes a pool may have.
pub const PROCESSES_MAX: u16 = 256;

/// What a pool runs and how.
pub struct Config {
    /// How many worker processes.
    pub processes: u16,
    /// Makes the command of a worker process, given its slot, counted from 1.
    pub command: Arc<dyn Fn(u16) -> Command + Send + Sync>,
    /// How long a process may take to drain before it is killed.
    pub grace: Duration,
    /// When dead processes are started again.
    pub policy: Policy,
    /// What is looked after in a process.
    pub care: Care,
    /// What operators ask for while it runs.
    pub orders: UnboundedReceiver<Order>,
    /// Renders the metrics of the supervisor itself.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Called when a process died unasked or had to be killed, so that its jobs are given back at once.
    pub on_crash: Box<dyn Fn(Exit) -> BoxFuture<'static, ()> + Send>,
}

/// How a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Its processes died too often.
    GivenUp,
}

/// Runs the pool until `shutdown`; then every process drains, or is killed when its grace is over.
///
/// # Errors
/// When the metrics page cannot be served.
pub async fn run(config: Config, bound: Bound, shutdown: CancellationToken) -> Result<Ended> {
    measures::describe();
    let (supervisor, events) = Supervisor::new(config.policy);
    let slots = Slots::new(config.command, config.grace, config.care);
    (0..config.processes).for_each(|_| slots.add(&supervisor));
    let children = {
        let slots = slots.clone();
        move || slots.children()
    };
    let sources = Sources { own: config.metrics, children: Arc::new(children) };
    let served = CancellationToken::new();
    let page = tokio::spawn(page::serve(bound, sources, served.clone()));
    let watched = tokio::spawn(watch::watch(events, config.on_crash));
    let mut pool = Pool { supervisor, slots, rolling: Rolling::default(), systemd: Systemd::from_env() };
    let ended = tokio::select! {
        () = shutdown.cancelled() => Ended::Stopped,
        () = pool.obey(config.orders) => Ended::GivenUp,
    };
    if let Some(systemd) = &pool.systemd {
        systemd.stopping();
    }
    pool.slots.stop().await;
    drop(pool);
    watched.await?;
    served.cancel();
    page.await??;
    Ok(ended)
}

struct Pool {
    supervisor: Supervisor,
    slots: Slots,
    rolling: Rolling,
    systemd: Option<Systemd>,
}

impl Pool {
    /// Does what operators ask for, and tells systemd how things stand, until the supervisor gives up.
    async fn obey(&mut self, mut orders: UnboundedReceiver<Order>) {
        loop {
            let gap = self.systemd.as_ref().map(Systemd::gap);
            tokio::select! {
                () = self.supervisor.given_up() => return,
                Some(order) = orders.recv() => self.carry_out(order),
                () = self.rolling.ended() => self.rolled(),
                () = after(gap) => self.tell(),
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        tracing::info!(?order, processes = self.slots.len(), "an operator asks for a change");
        match order {
            Order::More if self.slots.len() < usize::from(PROCESSES_MAX) => self.slots.add(&self.supervisor),
            Order::More => tracing::warn!(PROCESSES_MAX, "there are as many processes as there may be"),
            Order::Less if self.slots.len() > 1 => self.slots.remove(),
            Order::Less => tracing::warn!("the last process stays"),
            Order::Roll => {
                if self.rolling.begin(&self.slots)
                    && let Some(systemd) = &self.systemd
                {
                    systemd.reloading();
                }
            }
        }
    }

    fn rolled(&mut self) {
        let goes_on = self.rolling.again(&self.slots);
        if let Some(systemd) = self.systemd.as_ref().filter(|_| !goes_on) {
            systemd.reloaded();
        }
    }

    fn tell(&mut self) {
        if let Some(systemd) = &mut self.systemd {
            systemd.tell(self.slots.health());
        }
    }
}

/// Resolves after this long; never without a time.
async fn after(gap: Option<Duration>) {
    match gap {
        Some(gap) => tokio::time::sleep(gap).await,
        None => std::future::pending().await,
    }
}
