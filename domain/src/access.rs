//! Authentication: who a bearer token stands for, logging in, and API keys.
//!
//! Tokens are opaque and random; only their SHA-256 is stored. Source: OWASP Session Management and Password Storage.
//!
//! Whoever takes a right away calls [`revoked`] in the same transaction, so that every process that remembers a token of the user
//! forgets it when the commit is done. The process that commits forgets it by itself, before it answers.

pub mod keys;
pub mod password;
pub mod resets;
pub mod scope;
pub mod sessions;
pub mod throttle;
pub mod token;

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::ids::UserId;
use crate::principal::{Credential, Principal, Role};
use ledger::Book;
use scope::{Scope, Scopes};

/// The channel (`LISTEN`) that names users whose remembered tokens are to be forgotten.
pub const REVOKED_CHANNEL: &str = "access_revoked";

/// A caller, and how long the credential that it showed stays good by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticated {
    /// Who it is.
    pub principal: Principal,
    /// The time to the credential's own end; none: it has none.
    pub good_for: Option<Duration>,
}

/// The caller that `bearer` stands for: a session's token or an API key; none if it is unknown, expired or revoked, or
/// if its user is suspended or deleted.
///
/// # Errors
/// When the database fails.
pub async fn authenticate(conn: &mut PgConnection, bearer: &str) -> sqlx::Result<Option<Authenticated>> {
    let Some(token) = token::Token::parse(bearer) else {
        return Ok(None);
    };
    let hash = token.hash();
    let found = sqlx::query!(
        r#"select account_user.shard, account_user.id, account_user.book_id, account_user.role, credential.id as "credential_id!",
                  credential.is_session as "is_session!", credential.scopes as "scopes!",
                  (extract(epoch from credential.expires_at - now()) * 1000)::bigint as good_for_ms
           from (
               select session.shard, session.user_id, session.id, true as is_session, '{}'::text[] as scopes,
                      session.expires_at
               from app.session
               where session.shard = $2
                 and session.token_hash = $1
                 and session.revoked_at is null
                 and session.expires_at > now()
               union all
               select api_key.shard, api_key.user_id, api_key.id, false, api_key.scopes, api_key.expires_at
               from app.api_key
               where api_key.shard = $2
                 and api_key.key_hash = $1
                 and api_key.revoked_at is null
                 and (api_key.expires_at is null or api_key.expires_at > now())
           ) as credential
           join app.account_user on account_user.shard = credential.shard and account_user.id = credential.user_id
           where account_user.status = 'active'"#,
        &hash[..],
        Book::MAIN.shard,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| {
        let credential = if row.is_session { Credential::Session } else { Credential::ApiKey };
        let whole = Principal::of(UserId(row.id), role(&row.role), Book { shard: row.shard, id: row.book_id });
        let principal = limited(Principal { credential: credential(row.credential_id), ..whole }, &row.scopes);
        let good_for = row.good_for_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        Authenticated { principal, good_for }
    }))
}

/// The role of a row of `app.account_user`.
fn role(name: &str) -> Role {
    Role::parse(name).expect("a check constraint holds the role's names")
}

/// The caller with the scopes that its credential names; without any, it has all of its role's.
fn limited(whole: Principal, scopes: &[String]) -> Principal {
    if scopes.is_empty() {
        return whole;
    }
    // A scope that this version does not know gives no right.
    let given: Vec<Scope> = scopes.iter().filter_map(|name| Scope::parse(name)).collect();
    Principal { scopes: whole.scopes.intersection(Scopes::of(&given)), ..whole }
}

/// Tells every process, when the caller's transaction commits, that a right of this user was taken away.
///
/// # Errors
/// When the database fails.
pub async fn revoked(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("select pg_notify($1, $2)", REVOKED_CHANNEL, user.to_string()).execute(conn).await?;
    Ok(())
}

/// Ends every session of the user but `kept`, and every API key too if `with_keys`, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(
    conn: &mut PgConnection,
    shard: i16,
    user: UserId,
    kept: Option<Uuid>,
    with_keys: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "with ended as (
             update app.session
             set revoked_at = now()
             where shard = $1
               and user_id = $2
               and revoked_at is null
               and id is distinct from $3
         )
         update app.api_key
         set revoked_at = now()
         where shard = $1
           and user_id = $2
           and revoked_at is null
           and $4",
        shard,
        user.0,
        kept,
        with_keys,
    )
    .execute(&mut *conn)
    .await?;
    revoked(conn, user).await
}

/// The owner that a statement on credentials is limited to: none for an administrator.
fn only_own(principal: &Principal) -> Option<Uuid> {
    (!principal.scopes.has(Scope::UsersAdmin)).then_some(principal.user_id.0)
}

/// That there is such a user, whose credentials the caller may look after: its own, or anybody's for an administrator.
///
/// # Errors
/// [`Error::NotFound`] otherwise; when the database fails.
pub(crate) async fn may_look_after(conn: &mut PgConnection, principal: &Principal, user: UserId) -> Result<(), Error> {
    let found = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1
           and book_id = $2
           and id = $3
           and ($4::uuid is null or id = $4)",
        principal.book.shard,
        principal.book.id,
        user.0,
        only_own(principal),
    )
    .fetch_optional(conn)
    .await?;
    found.map(|_| ()).ok_or(Error::NotFound)
}
