//! What was done by whom to accounts and rights: written in the same transaction as the deed, and read by whoever audits.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::page::{Listed, Page};
use crate::principal::Principal;

/// Writes down that the caller did `action` (such as `user.suspend`) to `target`. Neither `target` nor `detail` may hold anything secret
/// or personal: rows of the audit are never erased.
///
/// # Errors
/// When the database fails.
pub async fn record(
    conn: &mut PgConnection,
    principal: &Principal,
    action: &'static str,
    target: &str,
    detail: Value,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into app.audit (shard, id, book_id, actor, action, target, detail)
         values ($1, $2, $3, $4, $5, $6, $7)",
        principal.book.shard,
        Uuid::now_v7(),
        principal.book.id,
        principal.user_id.0,
        action,
        target,
        detail,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// UUIDv7.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// The user who did it.
    pub actor: Uuid,
    /// What, such as `user.suspend`.
    pub action: String,
    /// To what.
    pub target: String,
    /// The values that were set.
    pub detail: Value,
}

/// Which entries are asked for; each condition that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// What this user did.
    pub actor: Option<Uuid>,
    /// What was done so.
    pub action: Option<String>,
    /// What was done to this.
    pub target: Option<String>,
    /// At or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
    /// Which page; its `after` is the last entry of the page before.
    pub page: Page,
}

/// What was done in the caller's book, the latest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> sqlx::Result<Listed<Entry>> {
    let entries = sqlx::query_as!(
        Entry,
        "select id, at, actor, action, target, detail
         from app.audit
         where shard = $1 and book_id = $2
             and id < coalesce($3, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
             and ($4::uuid is null or actor = $4)
             and ($5::text is null or action = $5)
             and ($6::text is null or target = $6)
             and ($7::timestamptz is null or at >= $7)
             and ($8::timestamptz is null or at < $8)
         order by id desc
         limit $9",
        principal.book.shard,
        principal.book.id,
        filter.page.after,
        filter.actor,
        filter.action,
        filter.target,
        filter.from,
        filter.to,
        filter.page.fetch_limit(),
    );
    Ok(filter.page.cut(entries.fetch_all(conn).await?))
}
