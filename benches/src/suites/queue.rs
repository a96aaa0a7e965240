//! Jobs: enqueued, drained, picked up, and what each costs; beside the rivals if asked.
//!
//! Each file below measures one thing, on a database of its own that the others never saw.

mod drain;
mod enqueue;
mod fill;
mod full_loop;
mod growth;
mod idle;
mod job;
mod pickup;
mod rivals;
mod snapshot;
mod variants;
mod wal;

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::report::Report;
use crate::server::Server;
use rivals::Installed;

/// Jobs that a plain drain finds.
const DRAINED: usize = 100_000;

/// Clients that enqueue one job at a time.
const CLIENTS: usize = 8;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Smaller amounts, one repetition.
    pub(crate) quick: bool,
    /// The rivals as well.
    pub(crate) rivals: bool,
    /// Only these parts; all if there are none.
    pub(crate) only: Vec<Part>,
    /// Also prints what the write-ahead log consists of.
    pub(crate) wal_split: bool,
}

/// One part of the suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// `queue.drain`.
    Drain,
    /// `queue.enqueue_…`.
    Enqueue,
    /// `queue.full_loop`.
    Loop,
    /// `queue.pickup_…`.
    Pickup,
    /// `queue.drain_…`, but for the held snapshot.
    Variants,
    /// `queue.drain_held_snapshot`.
    Snapshot,
    /// `queue.wal_bytes`.
    Wal,
    /// `queue.idle_statements`.
    Idle,
    /// `queue.growth.…`, with its plot.
    Growth,
}

impl Plan {
    fn includes(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// How often to repeat what a single measurement would leave to chance.
    fn repetitions(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }

    /// How long clients enqueue.
    fn enqueue_span(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { 5 })
    }

    /// How long the full loop runs.
    fn loop_span(&self) -> Duration {
        Duration::from_secs(if self.quick { 5 } else { 20 })
    }
}

/// Adds the figures whose names begin with `queue.`.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let rivals = if plan.rivals { rivals::install(report).await } else { Vec::new() };
    let server = Server::bare(&[]).await?;
    if [Part::Drain, Part::Variants, Part::Snapshot].iter().any(|part| plan.includes(*part)) {
        drain::measure(plan, &server, report).await.context("queue.drain")?;
    }
    ours(plan, &server, report).await?;
    theirs(plan, &server, &rivals, report).await;
    if plan.includes(Part::Growth) {
        growth::measure(plan, &server, &rivals, report).await.context("queue.growth")?;
    }
    Ok(())
}

async fn ours(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    if plan.includes(Part::Enqueue) {
        enqueue::measure(plan, server, report).await.context("queue.enqueue")?;
    }
    if plan.includes(Part::Loop) {
        full_loop::measure(plan, server, report).await.context("queue.full_loop")?;
    }
    if plan.includes(Part::Pickup) {
        pickup::measure(server, report).await.context("queue.pickup")?;
    }
    if plan.includes(Part::Variants) {
        variants::measure(plan, server, report).await.context("queue.drain_…")?;
    }
    if plan.includes(Part::Snapshot) {
        snapshot::measure(plan, server, report).await.context("queue.drain_held_snapshot")?;
    }
    if plan.includes(Part::Wal) {
        wal::measure(plan, server, report).await.context("queue.wal_bytes")?;
    }
    if plan.includes(Part::Idle) {
        idle::measure(plan, report).await.context("queue.idle_statements")?;
    }
    Ok(())
}

/// The parts that rivals can be compared in. One that fails is named and left out.
async fn theirs(plan: &Plan, server: &Server, rivals: &[Installed], report: &mut Report) {
    for part in [Part::Drain, Part::Enqueue, Part::Loop, Part::Pickup] {
        // The picture of growth shows the fastest, so it has to know them.
        if !plan.includes(part) && !(part == Part::Drain && plan.includes(Part::Growth)) {
            continue;
        }
        for rival in rivals {
            if let Err(error) = rival.measure(part, plan, server, report).await {
                report.skip(&format!("{part:?} of {}", rival.name()), &format!("{error:#}"));
            }
        }
    }
    rivals::compare(rivals, report);
}
