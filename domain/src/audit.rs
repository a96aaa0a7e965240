//! What was done by whom to accounts and rights, in the same transaction as the deed.

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

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
