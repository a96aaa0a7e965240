//! A delivery as the worker that makes it sees it: what to send, and what came of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger::Book;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Status;
use super::secret::Secret;
use crate::events::{self, Event, topic};
use crate::ids::UserId;

/// After so many days without one answer that it took a delivery, an endpoint is disabled.
pub const FAILING_DAYS: u16 = 5;

/// What is to be sent.
#[derive(Debug)]
pub struct Outgoing {
    /// The delivery.
    pub id: Uuid,
    /// The book of the event.
    pub book: Book,
    /// The endpoint.
    pub endpoint_id: Uuid,
    /// Whose it is.
    pub owner: UserId,
    /// The event.
    pub event_id: String,
    /// What is posted.
    pub body: String,
    /// Whether it is still to be delivered, and by this job.
    pub is_wanted: bool,
    /// Whether the endpoint takes it: it is enabled, and its owner may still be told.
    pub is_open: bool,
    /// Where it is posted.
    pub url: String,
    /// What it is signed with: the newest first.
    pub secrets: Vec<Secret>,
    /// The time by the database's clock.
    pub now: DateTime<Utc>,
}

/// A row of the statement.
#[derive(sqlx::FromRow)]
struct Row {
    book_id: i32,
    event_id: String,
    body: String,
    endpoint_id: Uuid,
    owner_id: Uuid,
    url: String,
    secret: String,
    old_secret: Option<String>,
    is_wanted: bool,
    is_open: bool,
    now: DateTime<Utc>,
}

/// Reads a delivery; none if it, or its endpoint, has gone.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &mut PgConnection, shard: i16, id: Uuid, job: Uuid) -> sqlx::Result<Option<Outgoing>> {
    let found = sqlx::query_as::<_, Row>(include_str!("outgoing.sql")).bind(shard).bind(id).bind(job);
    // Planned each time: a plan from when the table was empty would read all of it.
    let found = found.persistent(false).fetch_optional(conn).await?;
    Ok(found.map(|row| Outgoing {
        id,
        book: Book { shard, id: row.book_id },
        endpoint_id: row.endpoint_id,
        owner: UserId(row.owner_id),
        event_id: row.event_id,
        body: row.body,
        is_wanted: row.is_wanted,
        is_open: row.is_open,
        url: row.url,
        secrets: [Some(row.secret), row.old_secret].iter().flatten().filter_map(|text| Secret::parse(text)).collect(),
        now: row.now,
    }))
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// How long it took.
    pub took: Duration,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Why it failed; none: it did not.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// How long until it is tried again; none: never.
    pub again_in: Option<Duration>,
}

impl Tried {
    /// Where the delivery is after it.
    pub fn delivery(&self) -> Status {
        match (&self.error, self.again_in) {
            (None, _) => Status::Delivered,
            (Some(_), Some(_)) => Status::Pending,
            (Some(_), None) => Status::Failed,
        }
    }
}

/// Writes an attempt and where the delivery is after it, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn record(conn: &mut PgConnection, outgoing: &Outgoing, tried: &Tried) -> sqlx::Result<()> {
    let status = tried.status.map(|status| i16::try_from(status).expect("a status has three digits"));
    sqlx::query!(
        "with delivery as (
             update app.webhook_delivery
             set status = $3,
                 attempts = attempts + 1,
                 last_status = $4,
                 last_error = $5,
                 next_attempt_at = clock_timestamp() + make_interval(secs => $6),
                 ended_at = case when $3 = 'pending' then null else clock_timestamp() end
             where shard = $1 and id = $2
             returning shard, id, attempts
         )
         insert into app.webhook_attempt
             (shard, delivery_id, number, started_at, duration_ms, status, error, response)
         select shard, id, attempts, $7, $8, $4, $5, $9
         from delivery",
        outgoing.book.shard,
        outgoing.id,
        tried.delivery().as_str(),
        status,
        tried.error,
        tried.again_in.map(|delay| delay.as_secs_f64()),
        outgoing.now,
        i32::try_from(tried.took.as_millis()).unwrap_or(i32::MAX),
        tried.response,
    )
    .persistent(false)
    .execute(&mut *conn)
    .await?;
    if tried.error.is_none() { recovered(conn, outgoing).await } else { failed(conn, outgoing).await }
}

/// Ends a delivery to an endpoint that is disabled, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn cancel(conn: &mut PgConnection, outgoing: &Outgoing) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.webhook_delivery
         set status = 'cancelled',
             next_attempt_at = null,
             ended_at = clock_timestamp()
         where shard = $1 and id = $2",
        outgoing.book.shard,
        outgoing.id,
    )
    .persistent(false)
    .execute(conn)
    .await?;
    Ok(())
}

/// Disables an endpoint that says it is gone (`gone`), and tells its owner; whether it was enabled.
///
/// # Errors
/// When the database fails.
pub async fn disable(conn: &mut PgConnection, outgoing: &Outgoing, reason: &'static str) -> sqlx::Result<bool> {
    let disabled = sqlx::query!(
        "update app.webhook_endpoint
         set disabled_reason = $3,
             updated_at = now()
         where shard = $1
           and id = $2
           and disabled_reason is null
           -- Failing takes days; one that is gone says so itself.
           and ($3 = 'gone' or failing_since < now() - make_interval(days => $4))",
        outgoing.book.shard,
        outgoing.endpoint_id,
        reason,
        i32::from(FAILING_DAYS),
    )
    .execute(&mut *conn)
    .await?;
    let is_disabled = disabled.rows_affected() == 1;
    if is_disabled {
        let payload = json!({ "v": 1, "webhook_id": outgoing.endpoint_id, "reason": reason });
        let event = Event::new("webhook.disabled", [topic::user(outgoing.owner.0)], &payload);
        events::publish(conn, outgoing.book, &[event]).await?;
    }
    Ok(is_disabled)
}

/// Nearly always nothing is written here: an endpoint that works is not touched by its deliveries.
async fn recovered(conn: &mut PgConnection, outgoing: &Outgoing) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.webhook_endpoint
         set failing_since = null
         where shard = $1 and id = $2 and failing_since is not null",
        outgoing.book.shard,
        outgoing.endpoint_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn failed(conn: &mut PgConnection, outgoing: &Outgoing) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.webhook_endpoint
         set failing_since = clock_timestamp()
         where shard = $1 and id = $2 and failing_since is null",
        outgoing.book.shard,
        outgoing.endpoint_id,
    )
    .execute(&mut *conn)
    .await?;
    disable(conn, outgoing, "failing").await?;
    Ok(())
}
