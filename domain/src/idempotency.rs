//! Repeated requests: the same `Idempotency-Key` with the same body gets the same answer.
//!
//! The key is claimed in the transaction of the effect. Whoever comes second waits in the insert until the first one
//! commits, then finds its answer; if the first one rolls back, the second one does the work.
//! Source: IETF draft-ietf-httpapi-idempotency-key-header.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::principal::Principal;

/// What identifies a request that may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The operation that it was sent to.
    pub route: &'static str,
    /// The header's value, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the request's body.
    pub fingerprint: [u8; 32],
}

/// What to do with a request that carries a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Begin {
    /// Nobody has: do the work, then [`finish`] in the same transaction.
    New,
    /// It was done: answer from this.
    Replay(Value),
}

/// Claims the keys, each for its caller, in the caller's transaction; the answers are in the order given.
///
/// No two of `keys` may be the same: the second one has to wait until the first one's transaction has ended.
///
/// # Errors
/// When the database fails.
pub async fn begin(conn: &mut PgConnection, keys: &[(&Principal, &Key)]) -> sqlx::Result<Vec<Result<Begin, Error>>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let columns = Columns::of(keys);
    let claimed = sqlx::query!(
        r#"insert into app.idempotency (shard, principal_id, route, key, fingerprint)
           select input.shard, input.principal_id, input.route, input.key, input.fingerprint
           from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::bytea[])
               as input (shard, principal_id, route, key, fingerprint)
           -- One order for everybody, so that two callers never wait for each other.
           order by input.shard, input.principal_id, input.route, input.key
           on conflict do nothing
           returning principal_id, route, key"#,
        &columns.shards,
        &columns.principals,
        &columns.routes,
        &columns.keys,
        &columns.fingerprints,
    )
    .fetch_all(&mut *conn)
    .await?;
    let claimed: HashSet<_> = claimed.into_iter().map(|row| (row.principal_id, row.route, row.key)).collect();
    let mut stored = if claimed.len() == keys.len() { HashMap::new() } else { find(conn, &columns).await? };
    let names: HashSet<_> = keys.iter().map(|(principal, key)| (principal.user_id, key.route, &key.key)).collect();
    assert_eq!(names.len(), keys.len(), "a key is at most once in a call: two would both be new");
    let begin = |(principal, key): &(&Principal, &Key)| {
        let name = (principal.user_id.0, key.route.to_owned(), key.key.clone());
        if claimed.contains(&name) {
            return Ok(Begin::New);
        }
        let (fingerprint, answer) = stored.remove(&name).expect("a key that could not be claimed is there");
        if fingerprint != key.fingerprint {
            return Err(Error::IdempotencyMismatch);
        }
        Ok(Begin::Replay(answer.expect("a committed key has its answer")))
    };
    Ok(keys.iter().map(begin).collect())
}

/// What is stored for these keys, by principal, route and key.
async fn find(conn: &mut PgConnection, columns: &Columns) -> sqlx::Result<HashMap<Name, (Vec<u8>, Option<Value>)>> {
    let rows = sqlx::query!(
        r#"select stored.principal_id, stored.route, stored.key, stored.fingerprint, stored.answer
           from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[]) as input (shard, principal_id, route, key)
           join app.idempotency as stored using (shard, principal_id, route, key)"#,
        &columns.shards,
        &columns.principals,
        &columns.routes,
        &columns.keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| ((row.principal_id, row.route, row.key), (row.fingerprint, row.answer))).collect())
}

/// Stores what each answer can be made from again; the keys were claimed in this transaction.
///
/// # Errors
/// When the database fails.
pub async fn finish(conn: &mut PgConnection, answers: &[(&Principal, &Key, Value)]) -> sqlx::Result<()> {
    if answers.is_empty() {
        return Ok(());
    }
    let keys: Vec<_> = answers.iter().map(|(principal, key, _)| (*principal, *key)).collect();
    let columns = Columns::of(&keys);
    let values: Vec<Value> = answers.iter().map(|(.., answer)| answer.clone()).collect();
    let written = sqlx::query!(
        r#"update app.idempotency as stored
           set answer = input.answer
           from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[])
               as input (shard, principal_id, route, key, answer)
           where stored.shard = input.shard
             and stored.principal_id = input.principal_id
             and stored.route = input.route
             and stored.key = input.key
             and stored.answer is null"#,
        &columns.shards,
        &columns.principals,
        &columns.routes,
        &columns.keys,
        &values,
    )
    .execute(conn)
    .await?;
    assert_eq!(written.rows_affected(), answers.len() as u64, "each key was claimed in this transaction");
    Ok(())
}

/// Gives up keys that were claimed in this transaction and are not to be kept: the request may be sent again.
///
/// # Errors
/// When the database fails.
pub async fn abandon(conn: &mut PgConnection, keys: &[(&Principal, &Key)]) -> sqlx::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(keys);
    let removed = sqlx::query!(
        "delete from app.idempotency
         where answer is null
           and (shard, principal_id, route, key) in (
               select input.shard, input.principal_id, input.route, input.key
               from unnest($1::smallint[], $2::uuid[], $3::text[], $4::text[]) as input (shard, principal_id, route, key)
           )",
        &columns.shards,
        &columns.principals,
        &columns.routes,
        &columns.keys,
    )
    .execute(conn)
    .await?;
    assert_eq!(removed.rows_affected(), keys.len() as u64, "each key was claimed in this transaction");
    Ok(())
}

/// Principal, route and key: what a stored answer is found by.
type Name = (Uuid, String, String);

/// The keys, column by column, as `unnest` wants them.
struct Columns {
    shards: Vec<i16>,
    principals: Vec<Uuid>,
    routes: Vec<String>,
    keys: Vec<String>,
    fingerprints: Vec<Vec<u8>>,
}

impl Columns {
    fn of(keys: &[(&Principal, &Key)]) -> Columns {
        Columns {
            shards: keys.iter().map(|(principal, _)| principal.book.shard).collect(),
            principals: keys.iter().map(|(principal, _)| principal.user_id.0).collect(),
            routes: keys.iter().map(|(_, key)| key.route.to_owned()).collect(),
            keys: keys.iter().map(|(_, key)| key.key.clone()).collect(),
            fingerprints: keys.iter().map(|(_, key)| key.fingerprint.to_vec()).collect(),
        }
    }
}
