//! Lists sessions that have not ended.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::access::may_look_after;
use crate::error::Error;
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// A log-in that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// What it is called.
    pub id: Uuid,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was refreshed last.
    pub refreshed_at: Option<DateTime<Utc>>,
    /// From when on its bearer token is refused.
    pub expires_at: DateTime<Utc>,
    /// From when on it cannot be refreshed.
    pub ends_at: DateTime<Utc>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// Where the log-in came from.
    pub address: Option<IpAddr>,
}

/// Which sessions to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub user: UserId,
    /// Which page.
    pub page: Page,
}

/// One page of a user's sessions that have not ended, oldest first.
///
/// # Errors
/// [`Error::NotFound`] when the user is somebody else and the caller no administrator; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Session>, Error> {
    may_look_after(conn, principal, filter.user).await?;
    let rows = sqlx::query!(
        "select id, created_at, refreshed_at, expires_at, ends_at, user_agent, host(address) as address
         from app.session
         where shard = $1
           and user_id = $2
           and revoked_at is null
           and ends_at > now()
           and ($3::uuid is null or id > $3)
         order by id
         limit $4",
        principal.book.shard,
        filter.user.0,
        filter.page.after,
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    let session = rows.into_iter().map(|row| Session {
        id: row.id,
        created_at: row.created_at,
        refreshed_at: row.refreshed_at,
        expires_at: row.expires_at,
        ends_at: row.ends_at,
        user_agent: row.user_agent,
        address: row.address.and_then(|address| address.parse().ok()),
    });
    Ok(filter.page.cut(session.collect()))
}
