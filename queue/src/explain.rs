//! Says why a job does not run.
//!
//! Everything that holds it up is named, in the order in which it would have to be cleared, by one statement of look-ups
//! in indexes: it costs about the same whatever the queue holds.

mod reason;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

pub use reason::Reason;
use reason::{COUNTED_MAX, NAMED_MAX};

use crate::inspect::{JobState, find};

/// Why a job is where it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The job.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it is in its life.
    pub state: JobState,
    /// All that applies; never empty.
    pub reasons: Vec<Reason>,
}

/// Explains a job; none if it never was, or its history has been dropped.
///
/// # Errors
/// When the database fails.
pub async fn explain(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<Explanation>> {
    // Twice, for one that is redriven between the two looks.
    for _ in 0..2 {
        if let Some(live) = look(conn, shard, id).await? {
            let state = JobState::from_number(live.state);
            let reasons = live.reasons(state);
            return Ok(Some(Explanation { id, kind: live.kind, queue: live.queue, state, reasons }));
        }
        let Some(job) = find(conn, shard, id).await? else { return Ok(None) };
        if let Some(at) = job.finished_at {
            let ended = Reason::Ended { state: job.state, at };
            let reasons = vec![job.dead_reason.map_or(ended, |why| Reason::Dead { why, at })];
            return Ok(Some(Explanation { id, kind: job.kind, queue: job.queue, state: job.state, reasons }));
        }
    }
    Ok(None)
}

async fn look(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<Live>> {
    let mut tx = conn.begin().await?;
    // Look-ups only, whatever the statistics say; rolled back, so that a caller's transaction keeps its own settings.
    sqlx::raw_sql("set local enable_seqscan = off; set local enable_bitmapscan = off; set local jit = off")
        .execute(&mut *tx)
        .await?;
    let found = sqlx::query_file_as!(Live, "src/explain/live.sql", shard, id, NAMED_MAX, COUNTED_MAX);
    let found = found.fetch_optional(&mut *tx).await?;
    tx.rollback().await?;
    Ok(found)
}

/// A live job, with everything that may hold it up.
struct Live {
    state: i16,
    queue: String,
    kind: String,
    attempt: i16,
    waits_for: i16,
    is_sequence: bool,
    /// It has its place of its sequence.
    holds_place: bool,
    limit_name: Option<String>,
    limit_key: Option<String>,
    claimed_at: Option<DateTime<Utc>>,
    owner: Option<Uuid>,
    cancelled_by: Option<String>,
    progress: Option<Value>,
    due_in_s: f64,
    queue_paused_at: Option<DateTime<Utc>>,
    queue_paused_by: Option<String>,
    queue_running: Option<i32>,
    queue_running_max: Option<i32>,
    kind_paused_at: Option<DateTime<Utc>>,
    kind_paused_by: Option<String>,
    rule_name: Option<String>,
    rule_running_max: Option<i32>,
    burst: Option<f64>,
    rate_per_s: Option<f64>,
    key_running: i32,
    tokens: Option<f64>,
    cost: Option<f64>,
    holder: Option<Uuid>,
    waits_on: Vec<Uuid>,
    waits_on_number: i64,
    host: Option<String>,
    pid: Option<i32>,
    has_worker: bool,
    ahead: i64,
}

impl Live {
    /// All that applies, in order.
    fn reasons(&self, state: JobState) -> Vec<Reason> {
        if let (Some(process), Some(since)) = (self.owner, self.claimed_at) {
            return vec![self.running(process, since)];
        }
        let mut reasons = Vec::new();
        reasons.extend(self.not_due(state));
        reasons.extend(self.waits());
        reasons.extend(self.queue_held());
        reasons.extend(self.kind_held());
        reasons.extend(self.limit_held());
        if !self.has_worker {
            reasons.push(Reason::NoLiveWorker { queue: self.queue.clone(), kind: self.kind.clone() });
        }
        reasons.extend(self.rank(state));
        reasons
    }

    fn running(&self, process: Uuid, since: DateTime<Utc>) -> Reason {
        let (host, pid) = (self.host.clone(), self.pid);
        let (progress, cancel_asked_by) = (self.progress.clone(), self.cancelled_by.clone());
        Reason::Running { process, host, pid, since, progress, cancel_asked_by }
    }

    fn not_due(&self, state: JobState) -> Option<Reason> {
        // One that waits for something else is looked at again when that has come.
        if state != JobState::Scheduled && self.due_in_s <= 0.0 {
            return None;
        }
        let (due_in_s, attempts) = (self.due_in_s.max(0.0), self.attempt);
        Some(if attempts > 0 { Reason::RetryIn { due_in_s, attempts } } else { Reason::Scheduled { due_in_s } })
    }

    fn waits(&self) -> Option<Reason> {
        let is_waiting = self.waits_for > 0;
        is_waiting.then(|| Reason::WaitsFor { jobs: self.waits_on.clone(), count: self.waits_on_number })
    }

    fn queue_held(&self) -> Vec<Reason> {
        let queue = || self.queue.clone();
        let paused = self.queue_paused_at.map(|since| Reason::QueuePaused {
            queue: queue(),
            by: self.queue_paused_by.clone(),
            since,
        });
        let limit = self.queue_running.zip(self.queue_running_max).filter(|(running, max)| running >= max);
        let limited = limit.map(|(running, max)| Reason::QueueLimit { queue: queue(), running, max });
        paused.into_iter().chain(limited).collect()
    }

    fn kind_held(&self) -> Option<Reason> {
        let kind = self.kind.clone();
        match self.kind_paused_at.zip(self.kind_paused_by.clone()) {
            Some((since, by)) => Some(Reason::KindPaused { kind, by, since }),
            None => (self.waits_for < 0).then_some(Reason::LaidAside { kind }),
        }
    }

    /// What its limit has against it; nothing while it has its place.
    fn limit_held(&self) -> Vec<Reason> {
        let Some((name, key)) = self.limit_name.clone().zip(self.limit_key.clone()).filter(|_| !self.holds_place)
        else {
            return Vec::new();
        };
        if self.rule_name.is_none() {
            return vec![Reason::NoSuchLimit { name }];
        }
        if let (true, Some(job)) = (self.is_sequence, self.holder) {
            return vec![Reason::SequenceBehind { key, job }];
        }
        let running = self.key_running;
        let max = self.rule_running_max.filter(|max| running >= *max);
        let full = max.map(|max| Reason::LimitFull { name: name.clone(), key: key.clone(), running, max });
        full.into_iter().chain(self.rate_held(name, key)).collect()
    }

    fn rate_held(&self, name: String, key: String) -> Option<Reason> {
        let (tokens, cost, per_s) = (self.tokens?, self.cost?, self.rate_per_s?);
        let next_in_s = (cost - tokens) / per_s;
        (self.burst.is_some() && next_in_s > 0.0).then_some(Reason::RateLimited { name, key, tokens, next_in_s })
    }

    fn rank(&self, state: JobState) -> Option<Reason> {
        let is_next = state == JobState::Ready || (state == JobState::Waiting && self.waits_for == 0);
        let key = self.limit_key.clone().filter(|_| state == JobState::Waiting);
        is_next.then(|| Reason::Rank { queue: self.queue.clone(), key, ahead: self.ahead })
    }
}
