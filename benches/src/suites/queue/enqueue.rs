//! How fast jobs are enqueued: one in each call, and many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use queue::{Enqueuer, NewJob, Notifier};

use super::job::Nothing;
use super::{CLIENTS, DRAINED, Plan, fill};
use crate::report::Report;
use crate::server::{Database, Server};

/// The first jobs of a task find connections still to be made and statements unprepared.
pub(super) const WARM_UP: usize = 20;

/// What the tasks of one process share to enqueue a job at a time.
#[derive(Debug)]
pub(super) struct Client {
    enqueuer: Enqueuer,
}

impl Client {
    /// For any number of tasks.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn new(database: &Database) -> Result<Client> {
        let notifier = Notifier::spawn(database.pool(1).await?);
        Ok(Client { enqueuer: Enqueuer::spawn(database.pool(2).await?, notifier) })
    }

    /// Enqueues one job; it is committed when this returns, and the workers have been told. The one place that says how.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn one(&self, job: NewJob) -> Result<()> {
        self.enqueuer.enqueue(job).await?;
        Ok(())
    }
}

/// Adds `queue.enqueue_one_client`, `queue.enqueue_one` and `queue.enqueue_bulk`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    for (name, tasks) in [("queue.enqueue_one_client", 1), ("queue.enqueue_one", CLIENTS)] {
        let database = server.fresh_of_ours().await?;
        database.settle().await?;
        report.add(name, one_by_one(&database, tasks, plan.enqueue_span()).await?, "jobs/s");
    }
    let database = server.fresh_of_ours().await?;
    database.settle().await?;
    let filled = fill::ready(&database.pool(1).await?, DRAINED).await?;
    report.add("queue.enqueue_bulk", filled.jobs as f64 / filled.took.as_secs_f64(), "jobs/s");
    Ok(())
}

async fn one_by_one(database: &Database, tasks: usize, span: Duration) -> Result<f64> {
    let client = Arc::new(Client::new(database).await?);
    let (done, took) = from_tasks(&client, tasks, span).await?;
    Ok(done as f64 / took.as_secs_f64())
}

/// Enqueues from so many tasks for a while; answers how many jobs, and how long it took.
///
/// The first [`WARM_UP`] of each task come before the clock, and are not counted.
///
/// # Errors
/// When the database fails.
pub(super) async fn from_tasks(client: &Arc<Client>, tasks: usize, span: Duration) -> Result<(usize, Duration)> {
    enqueue_while(client, tasks, |done, _| done < WARM_UP).await?;
    let started = Instant::now();
    let done = enqueue_while(client, tasks, move |_, began| began.elapsed() < span).await?;
    Ok((done, started.elapsed()))
}

/// Enqueues from each task while `more` says so; it is told how many the task has enqueued and when all began.
async fn enqueue_while(
    client: &Arc<Client>,
    tasks: usize,
    more: impl Fn(usize, Instant) -> bool + Copy + Send + 'static,
) -> Result<usize> {
    let began = Instant::now();
    let task = |_| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while more(done, began) {
                client.one(Nothing::job(done)?).await?;
                done += 1;
            }
            anyhow::Ok(done)
        })
    };
    let mut done = 0;
    for task in (0..tasks).map(task).collect::<Vec<_>>() {
        done += task.await??;
    }
    Ok(done)
}
