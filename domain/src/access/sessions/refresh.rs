//! Goes on with a session.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{GRACE, NewSession, Purpose, Token, revoked};
use crate::ids::UserId;

/// What a refresh token came to.
#[derive(Clone)]
pub enum Refreshed {
    /// The session goes on.
    Continued(NewSession),
    /// The token had been used before: two hold this session, so it was ended.
    Reused {
        /// The session.
        id: Uuid,
        /// Whose it was.
        user_id: UserId,
    },
    /// There is no such session, or it has ended, or its user may not log in.
    Refused,
}

/// What is stored of the session that a refresh token belongs to.
struct Row {
    id: Uuid,
    user_id: Uuid,
    seed: Vec<u8>,
    refresh_hash: Vec<u8>,
    is_again: bool,
    expires_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
}

/// Replaces the session's tokens, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn refresh(conn: &mut PgConnection, book: Book, given: &Token) -> sqlx::Result<Refreshed> {
    let Some(row) = lock(conn, book, given).await? else {
        return Ok(Refreshed::Refused);
    };
    let user_id = UserId(row.user_id);
    if row.refresh_hash != given.hash() && !row.is_again {
        end(conn, book, row.id).await?;
        revoked(conn, user_id).await?;
        return Ok(Refreshed::Reused { id: row.id, user_id });
    }
    let token = given.following(Purpose::Session, &row.seed);
    let refresh_token = given.following(Purpose::Refresh, &row.seed);
    let expires_at = if row.is_again {
        row.expires_at
    } else {
        // The bearer token of before may be remembered.
        revoked(conn, user_id).await?;
        replace(conn, book, row.id, &token, &refresh_token).await?
    };
    Ok(Refreshed::Continued(NewSession { id: row.id, user_id, token, expires_at, refresh_token, ends_at: row.ends_at }))
}

/// The live session of the token's family, held until the transaction ends.
async fn lock(conn: &mut PgConnection, book: Book, given: &Token) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        r#"select session.id, session.user_id, session.seed as "seed!", session.refresh_hash as "refresh_hash!",
                  (session.previous_refresh_hash is not distinct from $3
                   and session.refreshed_at > now() - $4::text::interval) as "is_again!",
                  session.expires_at, session.ends_at
           from app.session
           join app.account_user on account_user.shard = session.shard and account_user.id = session.user_id
           where session.shard = $1
             and session.family_hash = $2
             and session.revoked_at is null
             and session.ends_at > now()
             and account_user.status = 'active'
           for update of session"#,
        book.shard,
        &given.family_hash()[..],
        &given.hash()[..],
        GRACE,
    )
    .fetch_optional(conn)
    .await
}

async fn end(conn: &mut PgConnection, book: Book, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.session
         set revoked_at = now()
         where shard = $1 and id = $2",
        book.shard,
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores what is good from now on; returns until when the bearer token is.
async fn replace(
    conn: &mut PgConnection,
    book: Book,
    id: Uuid,
    token: &Token,
    refresh_token: &Token,
) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(
        "update app.session
         set token_hash = $3,
             previous_refresh_hash = refresh_hash,
             refresh_hash = $4,
             refreshed_at = now(),
             expires_at = least(now() + make_interval(secs => token_seconds), ends_at)
         where shard = $1 and id = $2
         returning expires_at",
        book.shard,
        id,
        &token.hash()[..],
        &refresh_token.hash()[..],
    )
    .fetch_one(conn)
    .await
}
