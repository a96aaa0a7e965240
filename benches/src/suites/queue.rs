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
mod observed;
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
    /// `queue.drain_observed`.
    Observed,
}

impl Plan {
    fn includes(&self, part: Part) -> bool {
        // What is compared with the plain drain, or chosen by it, needs that of the same run.
        let needs_drain = [Part::Variants, Part::Snapshot, Part::Growth].iter().any(|part| self.only.contains(part));
        self.only.is_empty() || self.only.contains(&part) || (part == Part::Drain && needs_drain)
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

/// Adds the figures whose names begin with `queue.`: part by part, ours and then each rival's, so that they are measured
/// close to each other.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    let rivals = if plan.rivals { rivals::install(report).await } else { Vec::new() };
    let server = Server::bare(&[]).await?;
    for part in Part::value_variants().iter().copied().filter(|part| plan.includes(*part)) {
        match part {
            Part::Drain => drain::measure(plan, &server, report).await,
            Part::Enqueue => enqueue::measure(plan, &server, report).await,
            Part::Loop => full_loop::measure(plan, &server, report).await,
            Part::Pickup => pickup::measure(&server, report).await,
            Part::Variants => variants::measure(plan, &server, report).await,
            Part::Snapshot => snapshot::measure(plan, &server, report).await,
            Part::Wal => wal::measure(plan, &server, report).await,
            Part::Idle => idle::measure(plan, report).await,
            Part::Growth => growth::measure(plan, &server, &rivals, report).await,
            Part::Observed => observed::measure(plan, &server, report).await,
        }
        .with_context(|| format!("part {part:?}"))?;
        if [Part::Drain, Part::Enqueue, Part::Loop, Part::Pickup].contains(&part) {
            measure_rivals(part, plan, &server, &rivals, report).await;
        }
    }
    rivals::compare(&rivals, report);
    Ok(())
}

/// One that fails is named and left out.
async fn measure_rivals(part: Part, plan: &Plan, server: &Server, rivals: &[Installed], report: &mut Report) {
    for rival in rivals {
        if let Err(error) = rival.measure(part, plan, server, report).await {
            report.skip(&format!("{part:?} of {}", rival.name()), &format!("{error:#}"));
        }
    }
}
