//! Sessions: what a user gets for an e-mail address and a password.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;

use super::token::{Purpose, Token};
use crate::ids::UserId;

/// What is needed to check a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Where the user lives.
    pub shard: i16,
    /// Who it is.
    pub user_id: UserId,
    /// The stored hash; none where the user has no password.
    pub password_hash: Option<String>,
}

/// The stored credentials of the active user with this address, without regard to case.
///
/// # Errors
/// When the database fails.
pub async fn credentials(conn: &mut PgConnection, email: &str) -> sqlx::Result<Option<Credentials>> {
    let row = sqlx::query!(
        "select shard, id, password_hash
         from app.account_user
         where lower(email) = lower($1)
           and shard = $2
           and book_id = $3
           and status = 'active'",
        email,
        Book::MAIN.shard,
        Book::MAIN.id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Credentials { shard: row.shard, user_id: UserId(row.id), password_hash: row.password_hash }))
}

/// A log-in that has just begun.
#[derive(Clone)]
pub struct NewSession {
    /// To be shown to its owner once.
    pub token: Token,
    /// From when on it is refused.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session of 12 hours.
///
/// # Errors
/// When the database fails.
pub async fn begin(conn: &mut PgConnection, shard: i16, user_id: UserId) -> sqlx::Result<NewSession> {
    let token = Token::new(Purpose::Session);
    let expires_at = sqlx::query_scalar!(
        "insert into app.session (shard, token_hash, user_id, expires_at)
         values ($1, $2, $3, now() + interval '12 hours')
         returning expires_at",
        shard,
        &token.hash()[..],
        user_id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(NewSession { token, expires_at })
}
