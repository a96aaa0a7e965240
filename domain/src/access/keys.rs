//! API keys: long-lived credentials of programs.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::scope::{Scope, Scopes};
use super::token::{Purpose, Token};
use super::{may_look_after, only_own, revoked};
use crate::audit;
use crate::error::{Error, FieldError};
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::{Credential, Principal};

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What it is called in addresses; no secret.
    pub id: Uuid,
    /// Whose rights it carries.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// Its first characters.
    pub hint: String,
    /// What it may do of what its owner may; empty: all of it.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// From when on it is refused; none: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was withdrawn.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a key is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// 1 to 100 characters.
    pub name: String,
    /// What it may do; none: all that the caller may.
    pub scopes: Option<Vec<Scope>>,
    /// From when on it is refused; none: never.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Which keys to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub user: UserId,
    /// Which page.
    pub page: Page,
}

/// Makes a key that carries the user's rights; it is shown once and never stored.
///
/// # Errors
/// When the database fails.
pub async fn create(conn: &mut PgConnection, shard: i16, user_id: UserId, name: &str) -> sqlx::Result<Token> {
    let (id, key) = (Uuid::now_v7(), Token::new(Purpose::ApiKey));
    insert(conn, shard, (id, user_id, &key), name, &[], None, None).await?;
    Ok(key)
}

/// Makes a key for the caller, in the caller's transaction: it may do no more than the caller, and if the caller is itself a key, it
/// lasts no longer.
///
/// # Errors
/// [`Error::Invalid`] when a scope is not the caller's, or the key would be refused at once; when the database fails.
pub async fn issue(conn: &mut PgConnection, principal: &Principal, new: &NewKey) -> Result<(ApiKey, Token), Error> {
    let scopes = granted(principal, new.scopes.as_deref())?;
    let parent = match principal.credential {
        Credential::ApiKey(id) => Some(id),
        Credential::Session(_) | Credential::Nothing => None,
    };
    let (id, key) = (Uuid::now_v7(), Token::new(Purpose::ApiKey));
    let shard = principal.book.shard;
    if !insert(conn, shard, (id, principal.user_id, &key), &new.name, &scopes, new.expires_at, parent).await? {
        return Err(Error::field("/expires_at", "in_the_past", "must be later than now"));
    }
    if principal.is_staff() {
        audit::record(conn, principal, "api_key.create", &id.to_string(), json!({ "scopes": scopes })).await?;
    }
    Ok((find(conn, principal, id).await?, key))
}

/// The names of the scopes that a key gets; none: all that its owner has, now and later.
fn granted(principal: &Principal, wanted: Option<&[Scope]>) -> Result<Vec<String>, Error> {
    let names = |scopes: Scopes| scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let Some(wanted) = wanted else {
        let is_whole = principal.scopes == Scopes::of_role(principal.role);
        return Ok(if is_whole { Vec::new() } else { names(principal.scopes) });
    };
    let lacking = wanted.iter().enumerate().filter(|(_, scope)| !principal.scopes.has(**scope));
    let errors: Vec<FieldError> = lacking
        .map(|(index, scope)| FieldError {
            pointer: format!("/scopes/{index}"),
            code: "scope_not_held",
            detail: format!("must be one of yours, and {} is not", scope.as_str()),
        })
        .collect();
    if errors.is_empty() { Ok(names(Scopes::of(wanted))) } else { Err(Error::Invalid(errors)) }
}

/// Writes a key, unless it would be refused at once.
async fn insert(
    conn: &mut PgConnection,
    shard: i16,
    (id, user, key): (Uuid, UserId, &Token),
    name: &str,
    scopes: &[String],
    expires_at: Option<DateTime<Utc>>,
    parent: Option<Uuid>,
) -> sqlx::Result<bool> {
    let written = sqlx::query!(
        "insert into app.api_key (shard, id, key_hash, user_id, name, hint, scopes, expires_at)
         select $1, $2, $3, $4, $5, $6, $7,
                -- The earlier one of the two, or the one that there is.
                least($8, (select parent.expires_at from app.api_key as parent where parent.shard = $1 and parent.id = $9))
         where $8::timestamptz is null or $8 > now()",
        shard,
        id,
        &key.hash()[..],
        user.0,
        name,
        key.hint(),
        scopes,
        expires_at,
        parent,
    )
    .execute(conn)
    .await?;
    Ok(written.rows_affected() == 1)
}

/// A key of the caller's own, or anybody's for an administrator.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<ApiKey, Error> {
    let found = sqlx::query_as!(
        ApiKey,
        "select id, user_id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at
         from app.api_key
         where shard = $1
           and id = $2
           and ($3::uuid is null or user_id = $3)
           and user_id in (select id from app.account_user where shard = $1 and book_id = $4)",
        principal.book.shard,
        id,
        only_own(principal),
        principal.book.id,
    )
    .fetch_optional(conn)
    .await?;
    found.ok_or(Error::NotFound)
}

/// One page of a user's keys, withdrawn ones too, oldest first.
///
/// # Errors
/// [`Error::NotFound`] when the user is somebody else and the caller no administrator; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<ApiKey>, Error> {
    may_look_after(conn, principal, filter.user).await?;
    let found = sqlx::query_as!(
        ApiKey,
        "select id, user_id, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at
         from app.api_key
         where shard = $1
           and user_id = $2
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
    Ok(filter.page.cut(found))
}

/// Withdraws a key, in the caller's transaction, and answers whose it was; one that is withdrawn stays so.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or it is somebody else's and the caller no administrator; when the database fails.
pub async fn revoke(conn: &mut PgConnection, principal: &Principal, id: Uuid) -> Result<UserId, Error> {
    let owner = sqlx::query_scalar!(
        "update app.api_key
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
    if principal.is_staff() {
        audit::record(conn, principal, "api_key.revoke", &id.to_string(), json!({})).await?;
    }
    Ok(owner)
}

/// Notes that these keys were used lately; one that was noted within the last minute is left alone.
///
/// # Errors
/// When the database fails.
pub async fn note_use(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.api_key
         set last_used_at = now()
         where shard = $1
           and id = any($2)
           and (last_used_at is null or last_used_at < now() - interval '1 minute')",
        shard,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}
