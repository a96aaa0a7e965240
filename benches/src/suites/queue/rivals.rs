//! The rivals: other queues on PostgreSQL that a package registry gives, each on the same server with the settings that
//! its own documentation has for speed; those stand in its driver, in `benches/rivals`.
//!
//! A driver is a process that enqueues or works; what is finished is counted in the rival's own tables from here.

mod driver;
mod install;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::AssertSqlSafe;

use super::full_loop::WARM_UP;
use super::pickup::SAMPLES;
use super::{CLIENTS, DRAINED, Part, Plan};
use crate::percentile::Durations;
use crate::report::Report;
use crate::server::{Database, Server};
use driver::Driver;
pub(super) use install::{Installed, install};

/// A rival.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rival {
    /// As its registry has it.
    name: &'static str,
    language: Language,
    /// Jobs in a call where they are enqueued in bulk.
    bulk: usize,
    /// Counts its jobs that are not finished.
    unfinished: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Node,
    Rust,
}

/// All of them.
const RIVALS: [Rival; 5] = [
    Rival {
        name: "graphile-worker",
        language: Language::Node,
        bulk: 1_000,
        // It deletes what is finished.
        unfinished: "select count(*) from graphile_worker._private_jobs",
    },
    Rival {
        name: "pg-boss",
        language: Language::Node,
        bulk: 1_000,
        unfinished: "select count(*) from pgboss.job where name = 'nothing' and state < 'completed'",
    },
    Rival {
        name: "riverqueue",
        language: Language::Rust,
        // As its own benchmark does.
        bulk: 5_000,
        unfinished: "select count(*) from river_job where state <> 'completed'",
    },
    Rival {
        name: "apalis-postgres",
        language: Language::Rust,
        bulk: 1_000,
        unfinished: "select count(*) from apalis.jobs where status <> 'Done'",
    },
    Rival {
        name: "graphile_worker",
        language: Language::Rust,
        bulk: 1_000,
        unfinished: "select count(*) from graphile_worker._private_jobs",
    },
];

/// How long its last outcomes may take after the last job began.
const PATIENCE: Duration = Duration::from_secs(60);

impl Installed {
    /// Its name, as in its figures.
    pub(super) fn name(&self) -> &'static str {
        self.rival.name
    }

    /// Its name with its language: two of them differ in a single character.
    pub(super) fn title(&self) -> String {
        format!("{} ({:?})", self.rival.name, self.rival.language)
    }

    /// Adds its figures of this part.
    ///
    /// # Errors
    /// When it fails, or leaves jobs behind.
    pub(super) async fn measure(&self, part: Part, plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
        let named = |figure: &str| format!("queue.{figure}.{}", self.name());
        match part {
            Part::Drain => {
                let mut rates = Vec::new();
                for _ in 0..plan.repetitions() {
                    rates.push(self.drain(server, DRAINED, DRAINED).await?);
                }
                report.add_median(&named("drain"), rates, "jobs/s");
            }
            Part::Enqueue => {
                let span = plan.enqueue_span();
                report.add(&named("enqueue_one_client"), self.enqueue(server, 1, span).await?, "jobs/s");
                report.add(&named("enqueue_one"), self.enqueue(server, CLIENTS, span).await?, "jobs/s");
                report.add(&named("enqueue_bulk"), self.enqueue_bulk(server).await?, "jobs/s");
            }
            Part::Loop => report.add(&named("full_loop"), self.full_loop(server, plan.loop_span()).await?, "jobs/s"),
            Part::Pickup => {
                let mut waits = self.pickup(server).await?;
                report.add(&named("pickup_p50_ms"), waits.percentile_ms(50), "ms");
                report.add(&named("pickup_p99_ms"), waits.percentile_ms(99), "ms");
            }
            other => unreachable!("{other:?} is measured of ours alone"),
        }
        Ok(())
    }

    /// Jobs a second of one worker process that finds `backlog` jobs: until all are finished, or, if the backlog is
    /// larger than `jobs`, what is finished by the time that so many have begun.
    ///
    /// # Errors
    /// When it fails, or leaves jobs behind.
    pub(super) async fn drain(&self, server: &Server, backlog: usize, jobs: usize) -> Result<f64> {
        let database = self.fresh(server).await?;
        self.fill(&database, backlog).await?;
        database.settle().await?;
        let mut worker = Driver::start(self, &database, "work", &[jobs]).await?;
        worker.event("starting").await?;
        let started = Instant::now();
        worker.event("ran").await?;
        let pool = database.pool(1).await?;
        loop {
            let elapsed = started.elapsed();
            let left: i64 = sqlx::query_scalar(AssertSqlSafe(self.rival.unfinished)).fetch_one(&pool).await?;
            if left == 0 || backlog > jobs {
                return Ok((backlog as f64 - left as f64) / elapsed.as_secs_f64());
            }
            ensure!(elapsed < PATIENCE * 10, "{left} jobs are not finished after {elapsed:?}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Its tables in an empty database.
    async fn fresh(&self, server: &Server) -> Result<Database> {
        let database = server.fresh().await?;
        Driver::start(self, &database, "setup", &[]).await?.event("ready").await?;
        Ok(database)
    }

    /// Answers jobs a second.
    async fn fill(&self, database: &Database, jobs: usize) -> Result<f64> {
        Driver::start(self, database, "fill", &[jobs, self.rival.bulk]).await?.rate("filled").await
    }

    async fn enqueue(&self, server: &Server, clients: usize, span: Duration) -> Result<f64> {
        let database = self.fresh(server).await?;
        database.settle().await?;
        Driver::start(self, &database, "enqueue", &[clients, span.as_secs() as usize]).await?.rate("enqueued").await
    }

    async fn enqueue_bulk(&self, server: &Server) -> Result<f64> {
        let database = self.fresh(server).await?;
        database.settle().await?;
        self.fill(&database, DRAINED).await
    }

    /// Worker and clients are two processes, which is to the advantage of those that have one thread.
    async fn full_loop(&self, server: &Server, span: Duration) -> Result<f64> {
        let database = self.fresh(server).await?;
        database.settle().await?;
        let mut worker = Driver::start(self, &database, "work", &[0]).await?;
        worker.event("starting").await?;
        tokio::time::sleep(WARM_UP).await;
        let mut clients = Driver::start(self, &database, "enqueue", &[CLIENTS, span.as_secs() as usize]).await?;
        let enqueued = clients.event("enqueued").await?;
        let left = database.number(self.rival.unfinished).await? as f64;
        let number = |name: &str| enqueued[name].as_f64().with_context(|| format!("no {name} in {enqueued}"));
        Ok((number("jobs")? - left) / number("seconds")?)
    }

    async fn pickup(&self, server: &Server) -> Result<Durations> {
        let database = self.fresh(server).await?;
        database.settle().await?;
        let picked = Driver::start(self, &database, "pickup", &[SAMPLES]).await?.event("picked").await?;
        let mut waits = Durations::default();
        for ms in picked["ms"].as_array().into_iter().flatten() {
            waits.add(Duration::from_secs_f64(ms.as_f64().context("a wait is a number")? / 1_000.0));
        }
        Ok(waits)
    }
}

/// The rivals that were measured, by their drain, the fastest first.
pub(super) fn fastest<'a>(rivals: &'a [Installed], report: &Report) -> Vec<&'a Installed> {
    let rate = |rival: &Installed| report.value(&format!("queue.drain.{}", rival.name())).unwrap_or_default();
    let mut sorted: Vec<&Installed> = rivals.iter().collect();
    sorted.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    sorted
}

/// Adds how ours compares with the best rival in each figure: above 1, ours is faster, or for a wait, ours is longer.
pub(super) fn compare(rivals: &[Installed], report: &mut Report) {
    for figure in ["drain", "enqueue_one_client", "enqueue_one", "enqueue_bulk", "full_loop", "pickup_p50_ms"] {
        let name = |rival: &Installed| format!("queue.{figure}.{}", rival.name());
        let mut measured: Vec<(f64, String)> =
            rivals.iter().map(name).filter_map(|name| Some((report.value(&name)?, name))).collect();
        measured.sort_by(|one, other| one.0.total_cmp(&other.0));
        let best = if figure.ends_with("_ms") { measured.first() } else { measured.last() };
        if let Some((_, best)) = best {
            let ours = format!("queue.{figure}");
            report.add_ratio(&format!("{ours}.ratio_to_fastest_rival"), &ours, best);
        }
    }
}
