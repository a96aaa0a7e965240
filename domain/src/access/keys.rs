//! API keys: long-lived credentials of programs.

use sqlx::PgConnection;

use super::token::{Purpose, Token};
use crate::ids::UserId;

/// Makes a key that carries the user's rights; it is shown once and never stored.
///
/// # Errors
/// When the database fails.
pub async fn create(conn: &mut PgConnection, shard: i16, user_id: UserId, name: &str) -> sqlx::Result<Token> {
    let key = Token::new(Purpose::ApiKey);
    sqlx::query!(
        "insert into app.api_key (shard, key_hash, user_id, name, hint)
         values ($1, $2, $3, $4, $5)",
        shard,
        &key.hash()[..],
        user_id.0,
        name,
        key.hint(),
    )
    .execute(conn)
    .await?;
    Ok(key)
}
