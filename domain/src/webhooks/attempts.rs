//! The attempts at a delivery.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// How many attempts are shown of a delivery, the latest ones.
const SHOWN_MAX: i64 = 100;

/// One attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which attempt it was, from 1.
    pub number: i32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The HTTP status of the answer.
    pub status: Option<i16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
}

/// The attempts at a delivery that the caller may see, in their order.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, shard: i16, delivery: Uuid) -> sqlx::Result<Vec<Attempt>> {
    let attempts = sqlx::query_as!(
        Attempt,
        "select number, started_at, duration_ms, status, error, response
         from app.webhook_attempt
         where shard = $1 and delivery_id = $2
         order by number desc
         limit $3",
        shard,
        delivery,
        SHOWN_MAX,
    );
    let mut attempts = attempts.fetch_all(conn).await?;
    attempts.reverse();
    Ok(attempts)
}
