//! apalis-postgres, as its own example `basic.rs` sets it up (woken by notifications, no lock statement for each task,
//! tasks spawned), with the batch and the concurrency that drain fastest: 1,000 each.

use std::time::Duration;

use anyhow::{Result, anyhow};
use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{BoxDynError, ParallelizeExt, TaskSink, WorkerBuilder};
use apalis_postgres::{Config, PostgresStorage};
use sqlx::PgPool;

use crate::{Nothing, Rival, ran};

async fn run(_job: Nothing) -> Result<(), BoxDynError> {
    ran();
    Ok(())
}

#[derive(Clone)]
pub struct Apalis {
    storage: PostgresStorage<Nothing>,
}

impl Rival for Apalis {
    /// As the comment in its example says.
    const CONNECTIONS: u32 = 50;

    async fn setup(pool: PgPool) -> Result<()> {
        PostgresStorage::setup(&pool).await?;
        Ok(())
    }

    async fn new(pool: PgPool) -> Result<Apalis> {
        let config = Config::default()
            .queue("nothing")
            .batch_size(1_000)
            .lock_tasks(false)
            .heartbeat_interval(Duration::from_secs(1))
            .missed_heartbeats(10);
        Ok(Apalis { storage: PostgresStorage::new(&pool).with_config(config) })
    }

    async fn bulk(&self, jobs: Vec<Nothing>) -> Result<()> {
        self.storage.clone().push_bulk(jobs).await.map_err(|error| anyhow!("{error:?}"))
    }

    async fn one(&self, job: Nothing) -> Result<()> {
        self.storage.clone().push(job).await.map_err(|error| anyhow!("{error:?}"))
    }

    async fn work(self) -> Result<()> {
        // On a thread of its own: the compiler does not see that the worker's future may move between threads.
        let thread = tokio::task::spawn_blocking(|| {
            let worker = WorkerBuilder::new("rival").backend(self.storage.with_pubsub()).concurrency(1_000);
            tokio::runtime::Handle::current().block_on(worker.parallelize(tokio::spawn).build(run).run())
        });
        Ok(thread.await??)
    }
}
