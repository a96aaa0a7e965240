//! Sessions: what a user gets for an e-mail address and a password, and how it goes on.
//!
//! A session has one bearer token at a time and one refresh token. Refreshing replaces both. A refresh token that was used before tells
//! that two hold the session, and ends it (RFC 9700 §4.14.2), with one exception: the very last one, within [`GRACE`], is answered as it
//! was the first time, because an answer may be lost. However often it is refreshed, a session ends after 30 days.

mod read;
mod refresh;

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

pub use read::{Filter, Session, list};
pub use refresh::{Refreshed, refresh};

use super::token::{Purpose, Token};
use super::{may_look_after, only_own, revoke_all, revoked};
use crate::error::Error;
use crate::ids::UserId;
use crate::principal::Principal;

/// For so long after it was replaced the last refresh token is answered alike, as PostgreSQL reads it.
pub const GRACE: &str = "10 seconds";

/// The least and the most seconds that a bearer token may be good for.
pub const TOKEN_SECONDS: (i32, i32) = (15 * 60, 12 * 60 * 60);

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

/// How a session begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Start {
    /// For how many seconds a bearer token of it is good, within [`TOKEN_SECONDS`]; the most if absent.
    pub token_seconds: Option<i32>,
    /// What the client calls itself, at most 200 characters.
    pub user_agent: Option<String>,
    /// The address that it comes from, an IPv4 or IPv6 one.
    pub address: Option<String>,
}

/// A log-in that has just begun, or gone on.
#[derive(Clone)]
pub struct NewSession {
    /// What it is called.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// To be shown to its owner once.
    pub token: Token,
    /// From when on the bearer token is refused.
    pub expires_at: DateTime<Utc>,
    /// To be shown to its owner once.
    pub refresh_token: Token,
    /// From when on the session cannot be refreshed.
    pub ends_at: DateTime<Utc>,
}

/// Begins a session of a user who is active at this moment; none if that has changed since the password was read.
///
/// # Errors
/// When the database fails.
pub async fn begin(conn: &mut PgConnection, found: &Credentials, start: &Start) -> sqlx::Result<Option<NewSession>> {
    let (token, refresh_token) = (Token::new(Purpose::Session), Token::new(Purpose::Refresh));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system gives random bytes");
    let id = Uuid::now_v7();
    let times = sqlx::query!(
        "insert into app.session (shard, id, user_id, token_hash, family_hash, refresh_hash, seed, token_seconds,
                                  user_agent, address, expires_at, ends_at)
         select shard, $3, id, $4, $5, $6, $7, $8::integer, left($9, 200), $10::text::inet,
                now() + make_interval(secs => $8::integer), now() + interval '30 days'
         from app.account_user
         where shard = $1
           and id = $2
           and status = 'active'
           -- Not the password that was checked: it was changed, and sessions ended, meanwhile.
           and (password_hash is not distinct from $11)
         -- Whoever suspends the user or changes the password comes before or after, and then ends this one too.
         for share
         returning expires_at, ends_at",
        found.shard,
        found.user_id.0,
        id,
        &token.hash()[..],
        &refresh_token.family_hash()[..],
        &refresh_token.hash()[..],
        &seed[..],
        start.token_seconds.unwrap_or(TOKEN_SECONDS.1),
        start.user_agent,
        start.address,
        found.password_hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(times.map(|times| NewSession {
        id,
        user_id: found.user_id,
        token,
        expires_at: times.expires_at,
        refresh_token,
        ends_at: times.ends_at,
    }))
}

/// Stores the hash of the same password made with more work, unless the password was changed meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn strengthen(conn: &mut PgConnection, found: &Credentials, strong: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.account_user
         set password_hash = $4
         where shard = $1 and id = $2 and password_hash = $3",
        found.shard,
        found.user_id.0,
        found.password_hash,
        strong,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session, in the caller's transaction, and returns whose it was; one that has ended stays as it is.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is somebody else's and the caller no administrator; when the database fails.
pub async fn end(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<UserId, Error> {
    let owner = sqlx::query_scalar!(
        "update app.session
         set revoked_at = coalesce(revoked_at, now())
         where shard = $1
           and id = $2
           and ($3::uuid is null or user_id = $3)
           and user_id in (select id from app.account_user where shard = $1 and book_id = $4)
         returning user_id",
        principal.book.shard,
        id,
        only_own(principal),
        principal.book.id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let owner = owner.map(UserId).ok_or(Error::NotFound)?;
    revoked(conn, owner).await?;
    Ok(owner)
}

/// Ends all sessions of a user, in the caller's transaction.
///
/// # Errors
/// [`Error::NotFound`] when the user is somebody else and the caller no administrator; when the database fails.
pub async fn end_all(conn: &mut PgConnection, principal: &Principal, user: UserId) -> Result<(), Error> {
    may_look_after(conn, principal, user).await?;
    revoke_all(conn, principal.book.shard, user, None, false).await?;
    Ok(())
}
