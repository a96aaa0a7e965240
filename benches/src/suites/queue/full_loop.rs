//! Enqueueing and working at once, which is what a service does all day.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::enqueue::{Client, from_tasks};
use super::job::{Probe, Worker};
use super::{CLIENTS, Plan};
use crate::report::Report;
use crate::server::Server;

/// The worker is connected and idle by then.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);

/// Adds `queue.full_loop`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let database = server.fresh_of_ours().await?;
    database.settle().await?;
    let worker = Worker::start(&database, Probe::default()).await?;
    let client = Arc::new(Client::new(&database).await?);
    let looker = database.pool(1).await?;
    tokio::time::sleep(WARM_UP).await;
    let (enqueued, took) = from_tasks(&client, CLIENTS, plan.loop_span()).await?;
    let left: i64 = sqlx::query_scalar("select count(*) from queue.job").fetch_one(&looker).await?;
    worker.stop().await?;
    let dead = database.number("select count(*) from queue.dead_job").await?;
    ensure!(dead == 0, "{dead} jobs failed");
    report.add("queue.full_loop", (enqueued as f64 - left as f64) / took.as_secs_f64(), "jobs/s");
    Ok(())
}
