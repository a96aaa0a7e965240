//! The lease under which a worker process holds its jobs: one row and one heartbeat for each process.
//!
//! A lease runs by the database's clock. While the process renews it, its jobs are its own. Once it has run out, any
//! other process may declare it lost and take the jobs: they become ready again with a raised epoch, so whatever the
//! former holder still does to them is refused. A lease that ran out but was not taken yet can still be renewed:
//! an outage of the database, which stops all heartbeats alike, costs no job its place.

mod clock;
mod rescue;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cancel::Wish;

pub(crate) use clock::{Clock, Jump};
pub use rescue::{Rescued, release, rescue_expired};
pub(crate) use rescue::{hand_back, take_back_since};

/// One lease of this process, from its registration until it is lost or given up.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) id: Uuid,
    /// Cancelled when the jobs under it are no longer ours.
    pub(crate) lost: CancellationToken,
    registered: Instant,
    /// Until when the lease certainly runs, by our own monotonic clock, in ms after `registered`.
    live_until_ms: AtomicU64,
}

impl Generation {
    pub(crate) fn new(id: Uuid) -> Generation {
        let lost = CancellationToken::new();
        Generation { id, lost, registered: Instant::now(), live_until_ms: AtomicU64::new(0) }
    }

    /// Notes that the lease was renewed by a heartbeat that was sent at `sent`.
    pub(crate) fn renewed(&self, sent: Instant, lease: Duration) {
        let until = sent.saturating_duration_since(self.registered) + lease;
        self.live_until_ms.store(until.as_millis() as u64, Ordering::Relaxed);
    }

    /// Whether jobs may be begun: a process that was stopped for long finds out here, before it asks the database.
    pub(crate) fn is_live(&self) -> bool {
        let now_ms = self.registered.elapsed().as_millis() as u64;
        now_ms < self.live_until_ms.load(Ordering::Relaxed) && !self.lost.is_cancelled()
    }
}

/// Registers this process under a fresh id.
pub(crate) async fn register(
    conn: &mut PgConnection,
    shard: i16,
    queues: &[&str],
    kinds: &[&str],
    lease: Duration,
) -> sqlx::Result<Generation> {
    let generation = Generation::new(Uuid::now_v7());
    let sent = Instant::now();
    sqlx::query!(
        r#"
        insert into queue.process (shard, id, pid, host, queues, kinds, started_at, heartbeat_at, expires_at)
        values (
            $1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp(),
            clock_timestamp() + make_interval(secs => $7)
        )
        "#,
        shard,
        generation.id,
        std::process::id() as i32,
        host(),
        queues as &[&str],
        kinds as &[&str],
        lease.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    generation.renewed(sent, lease);
    Ok(generation)
}

/// What a heartbeat hears.
#[derive(Debug)]
pub(crate) struct News {
    /// False when the lease has been lost.
    pub(crate) is_renewed: bool,
    /// Jobs of this process that somebody wants ended.
    pub(crate) cancelled: Vec<Uuid>,
    /// Beside each other: the claims of those jobs, and who wants them ended.
    pub(crate) epochs: Vec<i32>,
    pub(crate) actors: Vec<String>,
    pub(crate) paused_kinds: Vec<String>,
    pub(crate) paused_queues: Vec<String>,
    /// Queues with jobs that wait for a place of their limit.
    pub(crate) limited_queues: Vec<String>,
    /// There are leases that have run out, or that seem to have been renewed in the future.
    pub(crate) has_expired: bool,
    /// There are jobs that have ended and that others wait for.
    pub(crate) has_ended: bool,
    /// What time it is in the database.
    pub(crate) now: DateTime<Utc>,
}

impl News {
    /// What somebody wants ended.
    pub(crate) fn wishes(&self) -> Vec<Wish> {
        let claims = self.cancelled.iter().zip(&self.epochs).zip(&self.actors);
        claims.map(|((job, epoch), actor)| Wish { job: *job, epoch: *epoch, actor: actor.clone() }).collect()
    }
}

/// Renews the lease and hears what is new. `heard` are wishes that have been heard of before.
pub(crate) async fn renew(
    conn: &mut PgConnection,
    shard: i16,
    generation: &Generation,
    lease: Duration,
    heard: &[Wish],
    queues: &[&str],
) -> sqlx::Result<News> {
    let sent = Instant::now();
    let news = sqlx::query_file_as!(
        News,
        "src/lease/renew.sql",
        shard,
        generation.id,
        lease.as_secs_f64(),
        &heard.iter().map(|wish| wish.job).collect::<Vec<_>>(),
        queues as &[&str],
        &heard.iter().map(|wish| wish.epoch).collect::<Vec<_>>(),
    );
    let news = news.fetch_one(conn).await?;
    if news.is_renewed {
        generation.renewed(sent, lease);
    }
    Ok(news)
}

/// The leases of a process of this host: what a supervisor asks for when a child of it has died, to
/// [`release`] them at once.
///
/// # Errors
/// When the database fails.
pub async fn of_pid(conn: &mut PgConnection, shard: i16, pid: u32) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id from queue.process where shard = $1 and host = $2 and pid = $3",
        shard,
        host(),
        pid as i32,
    )
    .fetch_all(conn)
    .await
}

/// The name of this machine, as far as leases tell machines apart.
pub(crate) fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "unknown".to_owned() } else { name.trim().to_owned() }
}
