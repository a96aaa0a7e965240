//! Metrics of the database as a whole: read on a timer, never for a scrape, by statements that stay cheap however much there is.
//!
//! Each API process tells them, so that none is missing while one takes over from another; whoever adds up takes the
//! maximum (docs/METRICS.md, "Who tells what").

mod ledger;
mod mirror;
mod postgres;
mod queue;
mod schedules;
mod webhooks;

use std::time::{Duration, Instant};

use ::ledger::Book;
use ::queue::metrics::{self as define, Metric, MetricType};
use sqlx::{Connection, PgConnection, PgPool};

/// How often it is read.
const GAP: Duration = Duration::from_secs(15);

pub(crate) const UP: Metric = define::gauge("database_up", &[], "Whether the last reading of the database worked.");
pub(crate) const READ_AT: Metric = define::gauge_seconds(
    "database_read_timestamp_seconds",
    &[],
    "When the database was last read, in seconds since 1970 by its clock.",
);
pub(crate) const READ_SECONDS: Metric =
    define::seconds("database_read_seconds", &[], "How long one reading of the database took.");
pub(crate) const READ_ERRORS: Metric =
    define::counter("database_read_errors_total", &[], "Readings of the database that failed.");

/// All of them.
pub fn metrics() -> Vec<Metric> {
    let own = [UP, READ_AT, READ_SECONDS, READ_ERRORS];
    own.into_iter()
        .chain(queue::METRICS)
        .chain(schedules::METRICS)
        .chain(ledger::METRICS)
        .chain(mirror::METRICS)
        .chain(webhooks::METRICS)
        .chain(postgres::METRICS)
        .collect()
}

/// Reads for as long as the process lives. One connection is enough, and it should not be one that requests wait for.
pub async fn keep(pool: PgPool) {
    register();
    let mut ticks = tokio::time::interval(GAP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        read_once(&pool).await;
    }
}

/// Makes the series at 0.
fn register() {
    queue::register();
    schedules::register();
    ledger::register();
    mirror::register();
    webhooks::register();
    postgres::register();
    for metric in [UP, READ_AT, READ_SECONDS, READ_ERRORS] {
        metric.register(&[]);
    }
}

/// Reads once; what could not be read keeps its last value.
pub async fn read_once(pool: &PgPool) {
    let began = Instant::now();
    let read = async { read(&mut *pool.acquire().await?).await };
    match read.await {
        Ok(at_s) => {
            metrics::gauge!(UP.name).set(1.0);
            metrics::gauge!(READ_AT.name).set(at_s);
            metrics::histogram!(READ_SECONDS.name).record(began.elapsed());
        }
        Err(error) => {
            tracing::warn!(%error, "the database could not be read for its metrics");
            metrics::gauge!(UP.name).set(0.0);
            metrics::counter!(READ_ERRORS.name).increment(1);
        }
    }
}

/// Reads everything; the time by the database's clock.
async fn read(conn: &mut PgConnection) -> sqlx::Result<f64> {
    let mut tx = conn.begin().await?;
    // Nobody waits for a number: a lock or a slow disk ends the reading.
    sqlx::raw_sql("set local statement_timeout = '5s'; set local jit = off").execute(&mut *tx).await?;
    queue::read(&mut tx, Book::MAIN.shard).await?;
    schedules::read(&mut tx, Book::MAIN.shard).await?;
    ledger::read(&mut tx, Book::MAIN).await?;
    mirror::read(&mut tx, Book::MAIN).await?;
    webhooks::read(&mut tx, Book::MAIN.shard).await?;
    postgres::read(&mut tx).await?;
    let at_s = sqlx::query_scalar!(r#"select extract(epoch from clock_timestamp())::float8 as "at!""#);
    let at_s = at_s.fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    Ok(at_s)
}

/// Sets one series: a gauge, or a counter that the database keeps.
fn set(metric: &Metric, label: Option<&str>, value: f64) {
    let labels = metric.labels.iter().zip(label).map(|(name, value)| ::metrics::Label::new(*name, value.to_owned()));
    let labels: Vec<_> = labels.collect();
    match metric.kind {
        MetricType::Counter => metrics::counter!(metric.name, labels).absolute(value as u64),
        _ => metrics::gauge!(metric.name, labels).set(value),
    }
}
