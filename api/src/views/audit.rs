//! What was done by whom.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::body::choice::choice;

choice! {
    /// What something was done to.
    pub(crate) enum Area {
        /// Accounts and rights.
        Accounts = "accounts",
        /// Jobs, queues and schedules.
        Queue = "queue",
    }
}

/// Something that somebody did.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AuditEntry")]
pub(crate) struct AuditEntryView {
    /// Its identifier.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// `accounts` or `queue`.
    pub area: String,
    /// Who: a user, or `cli:` and the name of whoever ran the command.
    pub actor: String,
    /// What, such as `user.suspend` or `pause_queue`.
    pub action: String,
    /// To what: an id or a name; null where there is no single one.
    pub target: Option<String>,
    /// The values that were set, and what was selected.
    pub detail: Value,
    /// How many jobs it touched; null outside the queue.
    pub jobs: Option<i64>,
}

impl From<domain::audit::Entry> for AuditEntryView {
    fn from(entry: domain::audit::Entry) -> AuditEntryView {
        AuditEntryView {
            id: entry.id,
            at: entry.at,
            area: Area::Accounts.word().to_owned(),
            actor: entry.actor.to_string(),
            action: entry.action,
            target: Some(entry.target),
            detail: entry.detail,
            jobs: None,
        }
    }
}

impl From<queue::control::AuditEntry> for AuditEntryView {
    fn from(entry: queue::control::AuditEntry) -> AuditEntryView {
        let named = ["queue", "limit", "schedule", "kind"].iter().find_map(|member| entry.target[member].as_str());
        let one = entry.target["ids"].as_array().filter(|ids| ids.len() == 1).and_then(|ids| ids[0].as_str());
        AuditEntryView {
            id: entry.id,
            at: entry.at,
            area: Area::Queue.word().to_owned(),
            actor: entry.actor,
            action: entry.action,
            target: one.or(named).map(str::to_owned),
            detail: entry.target,
            jobs: Some(entry.jobs),
        }
    }
}
