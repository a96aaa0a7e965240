//! How long a job waits for an idle worker.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use queue::{Enqueuer, Notifier};
use tokio::sync::mpsc;

use super::enqueue::WARM_UP;
use super::job::{Nothing, Probe, Worker};
use crate::percentile::Durations;
use crate::report::Report;
use crate::server::Server;

/// Jobs that are measured.
pub(super) const SAMPLES: usize = 500;

/// Adds `queue.pickup_p50_ms` and `queue.pickup_p99_ms`.
pub(super) async fn measure(server: &Server, report: &mut Report) -> Result<()> {
    let database = server.fresh_of_ours().await?;
    database.settle().await?;
    let (sender, mut begun) = mpsc::unbounded_channel();
    let worker = Worker::start(&database, Probe::each(sender)).await?;
    let enqueuer = Enqueuer::spawn(database.pool(1).await?, Notifier::spawn(database.pool(1).await?));
    let mut waits = Durations::default();
    for number in 0..SAMPLES + WARM_UP {
        enqueuer.enqueue(Nothing::job(number)?).await?;
        let enqueued = Instant::now();
        let begun = begun.recv().await.context("the worker is gone")?;
        if number >= WARM_UP {
            waits.add(begun.saturating_duration_since(enqueued));
        }
        tokio::time::sleep(pause(number)).await;
    }
    worker.stop().await?;
    report.add("queue.pickup_p50_ms", waits.percentile_ms(50), "ms");
    report.add("queue.pickup_p99_ms", waits.percentile_ms(99), "ms");
    Ok(())
}

/// 3 to 19 ms, the same in each run, so that no poll is met in step.
fn pause(number: usize) -> Duration {
    Duration::from_millis(3 + (number as u64).wrapping_mul(2_654_435_761) / 7 % 17)
}
