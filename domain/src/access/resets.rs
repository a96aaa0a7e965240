//! New passwords: by the user who knows the old one, or by a token that is good once, for 30 minutes.

use chrono::{DateTime, Utc};
use ledger::Book;
use serde_json::json;
use sqlx::PgConnection;

use super::token::{Purpose, Token};
use super::{revoke_all, throttle};
use crate::audit;
use crate::error::Error;
use crate::events::{self, Event, topic};
use crate::ids::UserId;
use crate::principal::Principal;

/// Leave to set a new password.
#[derive(Clone)]
pub struct NewReset {
    /// To be handed to the user.
    pub token: Token,
    /// From when on it is refused.
    pub expires_at: DateTime<Utc>,
}

/// Makes a token for a user who is active, in the caller's transaction.
///
/// # Errors
/// [`Error::NotFound`] when there is no such active user; when the database fails.
pub async fn create(conn: &mut PgConnection, principal: &Principal, user: UserId) -> Result<NewReset, Error> {
    let made = insert(conn, principal.book, user, Some(principal.user_id)).await?.ok_or(Error::NotFound)?;
    audit::record(conn, principal, "user.reset_password", &user.to_string(), json!({})).await?;
    Ok(made)
}

/// Makes a token for the active user with this address, if there is one, and leaves it to whoever sends e-mails: the event
/// `password_reset.requested` on [`topic::MAIL`]. At most once a minute for an address. In the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn ask(conn: &mut PgConnection, book: Book, email: &str) -> sqlx::Result<()> {
    if !throttle::may_ask_for_reset(conn, book, email).await? {
        return Ok(());
    }
    let Some(found) = super::sessions::credentials(conn, email).await? else {
        return Ok(());
    };
    if let Some(made) = insert(conn, book, found.user_id, None).await? {
        let payload = json!({
            "v": 1,
            "user_id": found.user_id.0,
            "token": made.token.reveal(),
            "expires_at": made.expires_at,
        });
        let event = Event::new("password_reset.requested", [topic::MAIL.to_owned()], &payload);
        events::publish(conn, book, &[event]).await?;
    }
    Ok(())
}

async fn insert(
    conn: &mut PgConnection,
    book: Book,
    user: UserId,
    by: Option<UserId>,
) -> sqlx::Result<Option<NewReset>> {
    let token = Token::new(Purpose::PasswordReset);
    let expires_at = sqlx::query_scalar!(
        "insert into app.password_reset (shard, token_hash, user_id, created_by, expires_at)
         select shard, $4, id, $5, now() + interval '30 minutes'
         from app.account_user
         where shard = $1
           and book_id = $2
           and id = $3
           and status = 'active'
         returning expires_at",
        book.shard,
        book.id,
        user.0,
        &token.hash()[..],
        by.map(|by| by.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(expires_at.map(|expires_at| NewReset { token, expires_at }))
}

/// Whether a token could be used now: asked before a password is hashed, which is slow.
///
/// # Errors
/// When the database fails.
pub async fn is_good(conn: &mut PgConnection, book: Book, token: &Token) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from app.password_reset
               where shard = $1
                 and token_hash = $2
                 and used_at is null
                 and expires_at > now()
           ) as "exists!""#,
        book.shard,
        &token.hash()[..],
    )
    .fetch_one(conn)
    .await
}

/// Uses a token: the password is set, all sessions end, all other tokens of the user are used up, and log-ins are free again. In the
/// caller's transaction.
///
/// # Errors
/// [`Error::Conflict`] `reset_token_not_valid` when it is unknown, used or expired; when the database fails.
pub async fn confirm(conn: &mut PgConnection, book: Book, token: &Token, password_hash: &str) -> Result<UserId, Error> {
    let user = sqlx::query_scalar!(
        "update app.password_reset
         set used_at = now()
         where shard = $1
           and token_hash = $2
           and used_at is null
           and expires_at > now()
         returning user_id",
        book.shard,
        &token.hash()[..],
    )
    .fetch_optional(&mut *conn)
    .await?;
    let user = UserId(user.ok_or_else(not_valid)?);
    let email = set(conn, book, user, password_hash, None).await?.ok_or_else(not_valid)?;
    throttle::clear(conn, book, &email).await?;
    Ok(user)
}

/// The refusal of a token that is unknown, used or expired.
pub fn not_valid() -> Error {
    let detail = "this token is unknown, used or expired".to_owned();
    Error::Conflict { code: "reset_token_not_valid", detail, existing: None }
}

/// The caller's own address and stored password, to check what it says is its password.
///
/// # Errors
/// When the database fails.
pub async fn own(conn: &mut PgConnection, principal: &Principal) -> sqlx::Result<(String, Option<String>)> {
    let row = sqlx::query!(
        "select email, password_hash
         from app.account_user
         where shard = $1 and id = $2",
        principal.book.shard,
        principal.user_id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.email, row.password_hash))
}

/// Sets the caller's own password, whose old one was found to be `had`, and ends its other sessions. In the caller's transaction.
///
/// # Errors
/// [`Error::Stale`] when the password was changed meanwhile; when the database fails.
pub async fn change(conn: &mut PgConnection, principal: &Principal, had: &str, wanted: &str) -> Result<(), Error> {
    let held = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1 and id = $2 and password_hash = $3
         for update",
        principal.book.shard,
        principal.user_id.0,
        had,
    )
    .fetch_optional(&mut *conn)
    .await?;
    held.ok_or(Error::Stale)?;
    let set = set(conn, principal.book, principal.user_id, wanted, principal.session()).await?;
    let email = set.ok_or(Error::Stale)?;
    throttle::clear(conn, principal.book, &email).await?;
    Ok(())
}

/// Stores a password, ends the sessions but `kept`, and uses up what tokens there are; the address, if the user is active.
async fn set(
    conn: &mut PgConnection,
    book: Book,
    user: UserId,
    password_hash: &str,
    kept: Option<uuid::Uuid>,
) -> sqlx::Result<Option<String>> {
    let email = sqlx::query_scalar!(
        "update app.account_user
         set password_hash = $4, updated_at = now()
         where shard = $1
           and book_id = $2
           and id = $3
           and status = 'active'
         returning email",
        book.shard,
        book.id,
        user.0,
        password_hash,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if email.is_some() {
        use_up(conn, book, user).await?;
        revoke_all(conn, book.shard, user, kept, false).await?;
    }
    Ok(email)
}

/// Uses up all tokens of the user that are not used.
async fn use_up(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.password_reset
         set used_at = now()
         where shard = $1 and user_id = $2 and used_at is null",
        book.shard,
        user.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}
