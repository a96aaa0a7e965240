//! Worker processes.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use queue::inspect::ProcessView;
use serde::Serialize;
use uuid::Uuid;

/// A worker process, by its lease.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Worker")]
pub(crate) struct WorkerView {
    /// Unique to one boot of one process.
    pub id: Uuid,
    /// The machine it runs on.
    pub host: String,
    /// Its process id there.
    pub pid: i32,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// The kinds of job that it knows.
    pub kinds: Vec<String>,
    /// When it registered.
    pub started_at: DateTime<Utc>,
    /// How many seconds ago it renewed its lease last.
    pub heartbeat_age_s: f64,
    /// Whether its lease runs; if not, its jobs are about to be given to others.
    pub is_live: bool,
    /// How many jobs it has in hand; null if there are too many jobs to count in a second.
    pub jobs: Option<i64>,
}

impl From<ProcessView> for WorkerView {
    fn from(process: ProcessView) -> WorkerView {
        WorkerView {
            id: process.id,
            host: process.host,
            pid: process.pid,
            queues: process.queues,
            kinds: process.kinds,
            started_at: process.started_at,
            heartbeat_age_s: process.heartbeat_age_s,
            is_live: process.is_live,
            jobs: process.jobs,
        }
    }
}
