//! Kinds of job.

use chrono::{DateTime, Utc};
use jobs::catalogue::Kind;
use poem_openapi::Object;
use queue::inspect::KindPause;
use serde::Serialize;
use serde_json::Value;

/// A kind of job: its policy, and what its payload has to be.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "JobKind")]
pub(crate) struct JobKindView {
    /// Its name, such as `products.categorize`.
    pub kind: String,
    /// What it does.
    pub about: String,
    /// The queue that its jobs go to.
    pub queue: String,
    /// 0 to 99; the smaller runs first.
    pub priority: i32,
    /// How often a job is tried at most.
    pub max_attempts: i32,
    /// How many seconds an attempt may go without a sign of life.
    pub timeout_s: i64,
    /// How many jobs run as one; 1 for a kind that runs one at a time.
    pub batch_max: i32,
    /// Since when its jobs are laid aside; null if it is not paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// What a payload has to be, as JSON Schema (2020-12).
    pub schema: Value,
    /// A payload that is one.
    pub example: Value,
}

impl JobKindView {
    /// The kind, and whether it is among the paused ones.
    pub(crate) fn of(kind: &Kind, paused: &[KindPause]) -> JobKindView {
        let pause = paused.iter().find(|pause| pause.kind == kind.name);
        JobKindView {
            kind: kind.name.to_owned(),
            about: kind.about.clone(),
            queue: kind.queue.to_owned(),
            priority: kind.priority.into(),
            max_attempts: kind.max_attempts.into(),
            timeout_s: i64::try_from(kind.timeout.as_secs()).unwrap_or(i64::MAX),
            batch_max: i32::try_from(kind.batch_max).unwrap_or(i32::MAX),
            paused_at: pause.map(|pause| pause.paused_at),
            paused_by: pause.map(|pause| pause.paused_by.clone()),
            schema: kind.schema.clone(),
            example: kind.example.clone(),
        }
    }
}
