//! River's client for Rust, as its own `riverqueue bench` sets it up: 2,000 workers, 50 connections, a fetch each 2 ms
//! at most, a poll each 20 ms.

use std::time::Duration;

use anyhow::Result;
use riverqueue::migrate::PostgresMigrator;
use riverqueue::{BoxError, Client, Job, QUEUE_DEFAULT, QueueConfig, WorkContext, WorkOutcome, Workers};
use sqlx::PgPool;

use crate::{Nothing, Rival, ran};

async fn run(_context: WorkContext, _job: Job<Nothing>) -> Result<WorkOutcome, BoxError> {
    ran();
    Ok(WorkOutcome::Complete)
}

#[derive(Clone)]
pub struct River {
    client: Client,
}

impl Rival for River {
    const CONNECTIONS: u32 = 50;

    async fn setup(pool: PgPool) -> Result<()> {
        PostgresMigrator::new(pool).migrate_up().await?;
        Ok(())
    }

    async fn new(pool: PgPool) -> Result<River> {
        let mut workers = Workers::new();
        workers.add_fn(run)?;
        let queue = QueueConfig::new(2_000)
            .with_fetch_cooldown(Duration::from_millis(2))
            .with_fetch_poll_interval(Duration::from_millis(20));
        Ok(River { client: Client::builder(pool).workers(workers).queue(QUEUE_DEFAULT, queue).build()? })
    }

    async fn bulk(&self, jobs: Vec<Nothing>) -> Result<()> {
        self.client.insert_many(jobs).await?;
        Ok(())
    }

    async fn one(&self, job: Nothing) -> Result<()> {
        self.client.insert(job).await?;
        Ok(())
    }

    async fn work(self) -> Result<()> {
        let mut run = self.client.start()?;
        run.wait().await?;
        Ok(())
    }
}
