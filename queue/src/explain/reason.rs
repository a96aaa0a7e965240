//! The reasons, each with a line of plain text.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::inspect::JobState;

/// The most jobs that are named.
pub(super) const NAMED_MAX: i64 = 20;
/// The most jobs that are counted.
pub(super) const COUNTED_MAX: i64 = 1_001;

/// Why a job does not run now, or what else became of it. Times to wait are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It is being run.
    Running {
        /// The process that has claimed it.
        process: Uuid,
        /// Its machine, if its lease is still there.
        host: Option<String>,
        /// Its process id.
        pid: Option<i32>,
        /// When the attempt was claimed.
        since: DateTime<Utc>,
        /// What it last reported.
        progress: Option<Value>,
        /// Who asked for its end.
        cancel_asked_by: Option<String>,
    },
    /// It is due later.
    Scheduled {
        /// In how long; 0 for at any moment.
        due_in_s: f64,
    },
    /// It failed before, and its next attempt is due later.
    RetryIn {
        /// In how long; 0 for at any moment.
        due_in_s: f64,
        /// How many attempts it has had.
        attempts: i16,
    },
    /// It waits for other jobs to end.
    WaitsFor {
        /// The first of them.
        jobs: Vec<Uuid>,
        /// How many there are; 1,001 for more than 1,000.
        count: i64,
    },
    /// Nothing is claimed from its queue.
    QueuePaused {
        /// The queue.
        queue: String,
        /// Who paused it.
        by: Option<String>,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Jobs of its kind are laid aside.
    KindPaused {
        /// The kind.
        kind: String,
        /// Who paused it.
        by: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// It was laid aside while its kind was paused, and is about to be put back.
    LaidAside {
        /// The kind.
        kind: String,
    },
    /// As many jobs of its queue run as may.
    QueueLimit {
        /// The queue.
        queue: String,
        /// How many run that count.
        running: i32,
        /// How many may.
        max: i32,
    },
    /// Nobody has declared its limit, so that no job under it runs.
    NoSuchLimit {
        /// The limit.
        name: String,
    },
    /// Another job of its sequence has not ended.
    SequenceBehind {
        /// The sequence's key.
        key: String,
        /// The job that holds the place.
        job: Uuid,
    },
    /// As many jobs of its limit's key run as may.
    LimitFull {
        /// The limit.
        name: String,
        /// The key.
        key: String,
        /// How many run.
        running: i32,
        /// How many may.
        max: i32,
    },
    /// Its limit's key has too few tokens for it.
    RateLimited {
        /// The limit.
        name: String,
        /// The key.
        key: String,
        /// How many it has.
        tokens: f64,
        /// In how long there will be enough.
        next_in_s: f64,
    },
    /// No process with a live lease serves its queue and knows its kind.
    NoLiveWorker {
        /// The queue.
        queue: String,
        /// The kind.
        kind: String,
    },
    /// Where it stands.
    Rank {
        /// The queue.
        queue: String,
        /// Its limit's key, if it stands among the jobs of that.
        key: Option<String>,
        /// How many come before it; 1,001 for more than 1,000.
        ahead: i64,
    },
    /// It has ended.
    Ended {
        /// How.
        state: JobState,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was given up.
    Dead {
        /// `exhausted`, `poison`, `unknown_kind` or `undecodable`.
        why: String,
        /// When.
        at: DateTime<Utc>,
    },
}

/// A count, or that there are more than were counted.
fn counted(number: i64) -> String {
    if number >= COUNTED_MAX { "more than 1,000".to_owned() } else { number.to_string() }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Running { process, host, pid, since, cancel_asked_by, .. } => {
                write!(f, "it has been running since {since} in process {process}")?;
                if let (Some(host), Some(pid)) = (host, pid) {
                    write!(f, " (pid {pid} on {host})")?;
                }
                cancel_asked_by.as_ref().map_or(Ok(()), |by| write!(f, "; {by} asked for its end"))
            }
            Reason::Scheduled { due_in_s } => write!(f, "it is due in {due_in_s:.1} s"),
            Reason::RetryIn { due_in_s, attempts } => {
                write!(f, "it failed, and is tried again in {due_in_s:.1} s, after {attempts} attempts")
            }
            Reason::WaitsFor { jobs, count } => match jobs.first() {
                Some(first) => write!(f, "it waits for {} other jobs, the first of them {first}", counted(*count)),
                None => f.write_str("the jobs that it waited for have ended, and it is about to be told"),
            },
            Reason::QueuePaused { queue, by, since } => {
                write!(f, "the queue {queue} has been paused since {since}")?;
                by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))
            }
            Reason::KindPaused { kind, by, since } => {
                write!(f, "the kind {kind} has been paused since {since} by {by}")
            }
            Reason::LaidAside { kind } => {
                write!(f, "it was laid aside while the kind {kind} was paused, and is about to be put back")
            }
            Reason::QueueLimit { queue, running, max } => {
                write!(f, "the queue {queue} runs {running} of at most {max} jobs")
            }
            Reason::NoSuchLimit { name } => {
                write!(f, "nobody has declared the limit {name}, so that nothing under it runs")
            }
            Reason::SequenceBehind { key, job } => {
                write!(f, "the job {job} of the same sequence {key} has not ended")
            }
            Reason::LimitFull { name, key, running, max } => {
                write!(f, "the limit {name} runs {running} of at most {max} jobs for the key {key}")
            }
            Reason::RateLimited { name, key, tokens, next_in_s } => {
                write!(f, "the limit {name} has {tokens:.2} tokens for the key {key}, and enough in {next_in_s:.1} s")
            }
            Reason::NoLiveWorker { queue, kind } => {
                write!(f, "no live worker serves the queue {queue} and knows the kind {kind}")
            }
            Reason::Rank { queue, key: None, ahead } => {
                write!(f, "{} ready jobs of the queue {queue} come before it", counted(*ahead))
            }
            Reason::Rank { queue, key: Some(key), ahead } => {
                write!(f, "{} jobs of the key {key} come before it in the queue {queue}", counted(*ahead))
            }
            Reason::Ended { state, at } => write!(f, "it ended at {at}: {}", state.as_str()),
            Reason::Dead { why, at } => write!(f, "it was given up at {at}: {why}"),
        }
    }
}
