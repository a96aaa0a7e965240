//! Reconciliation: runs of the checks R1 to R12, the breaks that they find and what becomes of them, statements of others.
//!
//! The ledger's own checks are [`ledger::reconcile`]; here are those that need requests, and everything that is kept: a run
//! reads over one snapshot and writes what it found on another connection, so nothing here is read and written at once.

pub mod breaks;
pub mod gone;
pub mod keep;
pub mod r07_requests;
pub mod r08_contents;
pub mod r09_clearing;
pub mod r10_statements;
pub mod r11_wallets;
pub mod r12_carried;
pub mod report;
pub mod runs;
pub mod severity;
pub mod statements;

use chrono::{DateTime, Utc};
use ledger::reconcile::Scope;
use uuid::Uuid;

pub use severity::Severity;

/// What a run checks: the ledger's window, and the requests from a time on.
#[derive(Debug, Clone)]
pub struct Window {
    /// The ledger's.
    pub ledger: Scope,
    /// Requests that were made before are not looked at; none: all are.
    pub requests_since: Option<DateTime<Utc>>,
}

impl Window {
    /// The smallest id that a request of the window can have: they are UUIDv7, which begin with their time.
    pub(crate) fn first_id(&self) -> Uuid {
        let millis = self.requests_since.map_or(0, |since| since.timestamp_millis().max(0));
        Uuid::from_u128(u128::from(millis.unsigned_abs()) << 80)
    }
}
