//! What an operator does to the queue: pauses and limits it, and changes its jobs, one or many.
//!
//! Each call leaves a row in `queue.audit` (who, when, what, how many jobs), written in the transaction that makes the
//! change. A call that touches many jobs works through them in transactions of a thousand, in the order of their ids, so
//! that it holds no lock for long; the row of the audit grows with them. Inside a transaction of the caller, all of it is
//! part of that one instead. A running job is never changed, only asked to end.
//!
//! Workers hear of it with their next heartbeat (1 s), or at once after [`wake`].

mod apply;
mod audit;
mod bulk;
mod error;
mod filter;
mod find;
mod limit;
mod pause;
mod text;

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

pub use audit::{AuditEntry, Log, audit, log, note};
pub use bulk::{Action, Preview};
pub use error::{ControlError, TextFault};
pub use filter::{Filter, Select, parse_priority, parse_state};
pub use limit::LimitRule;
pub use pause::resume_stranded;

/// Cancels jobs that do not run and that the caller has locked; one that runs is asked to end.
pub(crate) async fn cancel_waiting(conn: &mut PgConnection, shard: i16, ids: &[Uuid], actor: &str) -> sqlx::Result<()> {
    apply::end(conn, shard, ids, actor, true).await.map(|_| ())
}

/// The channel on which worker processes hear that an operator has said something; the payload says nothing.
pub(crate) const CHANNEL: &str = "queue_control";
/// How many jobs a call touches at most, unless it says otherwise.
pub const CAP_DEFAULT: usize = 10_000;
/// The most that it may say.
pub const CAP_MAX: usize = 100_000;

/// An operator's hand on the queue of one shard.
///
/// The connection should be an ordinary one of the application's pool: under the settings of the queue's own
/// connections, a filter would have no sensible plan.
#[derive(Debug)]
pub struct Control<'a> {
    conn: &'a mut PgConnection,
    shard: i16,
    actor: String,
    cap: usize,
}

/// What a call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[must_use = "workers hear of it sooner if `wake` is called after the commit"]
pub struct Answer {
    /// The row of the audit.
    pub audit: Uuid,
    /// How many jobs were selected, up to the cap: the ids that were given, or what the filter found.
    pub matched: u64,
    /// How many of them were changed, or asked to end.
    pub changed: u64,
    /// How many of these run, and were asked to end.
    pub asked: u64,
    /// Whether there are more than the cap: repeat the call, as long as it changes anything.
    pub has_more: bool,
}

impl Answer {
    /// Selected jobs that were left as they are: not there, not in a state for it, in the way of another, or already so.
    pub const fn skipped(&self) -> u64 {
        self.matched.saturating_sub(self.changed)
    }
}

impl<'a> Control<'a> {
    /// For this actor, whom the audit names.
    ///
    /// # Errors
    /// [`ControlError::Text`] when the name is empty, over 256 bytes, or has control characters.
    pub fn new(conn: &'a mut PgConnection, shard: i16, actor: impl Into<String>) -> Result<Control<'a>, ControlError> {
        let actor = actor.into();
        text::check("actor", &actor, text::ACTOR_BYTES_MAX)?;
        Ok(Control { conn, shard, actor, cap: CAP_DEFAULT })
    }

    /// With this cap on how many jobs a call touches, instead of [`CAP_DEFAULT`].
    ///
    /// # Errors
    /// [`ControlError::CapOutOfRange`] unless it is 1 to [`CAP_MAX`].
    pub fn cap(mut self, cap: usize) -> Result<Control<'a>, ControlError> {
        if cap == 0 || cap > CAP_MAX {
            return Err(ControlError::CapOutOfRange(cap));
        }
        self.cap = cap;
        Ok(self)
    }
}

/// Begins a transaction, or a part of the caller's, whose statements are planned for their own arguments: a plan for any
/// would have to do for a filter that finds one job and for one that finds all.
async fn begin(conn: &mut PgConnection) -> sqlx::Result<Transaction<'_, Postgres>> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql("set local plan_cache_mode = force_custom_plan; set local jit = off").execute(&mut *tx).await?;
    Ok(tx)
}

/// Tells all worker processes of the server to hear what operators have said; call it after the commit. Without it they
/// hear with their next heartbeat.
///
/// # Errors
/// When the database fails.
pub async fn wake(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL).execute(conn).await?;
    Ok(())
}
