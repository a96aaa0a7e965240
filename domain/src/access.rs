//! Authentication: who a bearer token stands for, logging in, and API keys.
//!
//! Tokens are opaque and random; only their SHA-256 is stored. Source: OWASP Session Management and Password Storage.

pub mod keys;
pub mod password;
pub mod scope;
pub mod sessions;
pub mod token;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::UserId;
use crate::principal::{Principal, Role};
use ledger::Book;
use scope::{Scope, Scopes};

/// The caller that `bearer` stands for: a session's token or an API key; none if it is unknown, expired or revoked, or
/// if its user is suspended.
///
/// # Errors
/// When the database fails.
pub async fn authenticate(conn: &mut PgConnection, bearer: &str) -> sqlx::Result<Option<Principal>> {
    let Some(token) = token::Token::parse(bearer) else {
        return Ok(None);
    };
    let hash = token.hash();
    let found = sqlx::query!(
        r#"select account_user.shard, account_user.id, account_user.book_id, account_user.role, credential.scopes as "scopes!"
           from (
               select session.shard, session.user_id, '{}'::text[] as scopes
               from app.session
               where session.shard = $2
                 and session.token_hash = $1
                 and session.revoked_at is null
                 and session.expires_at > now()
               union all
               select api_key.shard, api_key.user_id, api_key.scopes
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
    Ok(found.map(|row| principal(row.shard, row.id, row.book_id, &row.role, &row.scopes)))
}

/// The caller that a row of `app.account_user` stands for, with the scopes of its credential; without any, it has all of its role's.
fn principal(shard: i16, id: Uuid, book_id: i32, role: &str, scopes: &[String]) -> Principal {
    let role = Role::parse(role).expect("a check constraint holds the role's names");
    let whole = Principal::of(UserId(id), role, Book { shard, id: book_id });
    if scopes.is_empty() {
        return whole;
    }
    // A scope that this version does not know gives no right.
    let given: Vec<Scope> = scopes.iter().filter_map(|name| Scope::parse(name)).collect();
    Principal { scopes: whole.scopes.intersection(Scopes::of(&given)), ..whole }
}
