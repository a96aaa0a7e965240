//! graphile_worker, as its own `benches/perf_test.rs` sets it up for throughput: 500 at once, a local queue of 5,000, a
//! poll and a completion batch each 5 ms. Notifications are on, as by default.

use std::time::Duration;

use anyhow::Result;
use graphile_worker::{
    Database, IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use sqlx::PgPool;

use crate::{Nothing, Rival, ran};

const SCHEMA: &str = "graphile_worker";

impl TaskHandler for Nothing {
    const IDENTIFIER: &'static str = "nothing";

    async fn run(self, _ctx: WorkerContext) -> impl IntoTaskHandlerResult {
        ran();
        Ok::<(), String>(())
    }
}

#[derive(Clone)]
pub struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
}

impl Rival for Graphile {
    /// `max_pg_conn`'s default.
    const CONNECTIONS: u32 = 20;

    async fn setup(pool: PgPool) -> Result<()> {
        WorkerUtils::new(Database::from(pool), SCHEMA).migrate().await?;
        Ok(())
    }

    async fn new(pool: PgPool) -> Result<Graphile> {
        Ok(Graphile { utils: WorkerUtils::new(Database::from(pool.clone()), SCHEMA), pool })
    }

    async fn bulk(&self, jobs: Vec<Nothing>) -> Result<()> {
        let spec = |job: &Nothing| {
            let payload = serde_json::to_value(job)?;
            Ok(RawJobSpec { identifier: Nothing::IDENTIFIER.to_owned(), payload, spec: JobSpec::default() })
        };
        let specs: Result<Vec<RawJobSpec>> = jobs.iter().map(spec).collect();
        self.utils.add_raw_jobs(&specs?).await?;
        Ok(())
    }

    async fn one(&self, job: Nothing) -> Result<()> {
        self.utils.add_job(job, JobSpec::default()).await?;
        Ok(())
    }

    async fn work(self) -> Result<()> {
        let options = WorkerOptions::default()
            .pg_pool(self.pool)
            .schema(SCHEMA)
            .concurrency(500)
            .poll_interval(Duration::from_millis(5))
            .complete_job_batch_delay(Duration::from_millis(5))
            .local_queue(LocalQueueConfig::default().with_size(5_000))
            .define_job::<Nothing>();
        options.init().await?.run().await?;
        Ok(())
    }
}
