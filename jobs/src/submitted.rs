//! One effect for one request, however often it is sent: what every `submit` of a single thing shares.

use domain::idempotency::{self, Begin, Key};
use domain::{Error, Principal};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

/// What a submission came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Submitted<T> {
    /// It was done now.
    Done(T),
    /// It had been done; this is what was kept of the answer.
    Replayed(Value),
}

/// How the answer to a request is kept for its repetition.
#[derive(Debug, Clone)]
pub struct Repeatable<T: ?Sized> {
    /// What identifies the request.
    pub key: Key,
    /// What is kept of the answer; none: nothing, and the request may be sent again.
    pub keep: fn(&T) -> Option<Value>,
}

/// Does `effect` in one transaction, once for one request.
///
/// # Errors
/// [`Error::IdempotencyMismatch`]; what `effect` fails with; when the database fails.
pub async fn once<T>(
    pool: &PgPool,
    principal: &Principal,
    repeatable: Option<&Repeatable<T>>,
    effect: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>,
) -> Result<Submitted<T>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let value = effect(&mut tx).await?;
    finish(&mut tx, principal, repeatable, &value).await?;
    tx.commit().await?;
    Ok(Submitted::Done(value))
}

/// Claims the request's key, if it has one; what was kept, if it was answered before.
pub(crate) async fn begin<T>(
    conn: &mut PgConnection,
    principal: &Principal,
    repeatable: Option<&Repeatable<T>>,
) -> Result<Option<Value>, Error> {
    let Some(Repeatable { key, .. }) = repeatable else {
        return Ok(None);
    };
    let begun = idempotency::begin(conn, &[(principal, key)]).await?.pop().expect("one key, one answer")?;
    Ok(match begun {
        Begin::New => None,
        Begin::Replay(kept) => Some(kept),
    })
}

/// Keeps the answer of a request that claimed its key with [`begin`].
pub(crate) async fn finish<T>(
    conn: &mut PgConnection,
    principal: &Principal,
    repeatable: Option<&Repeatable<T>>,
    value: &T,
) -> sqlx::Result<()> {
    let Some(Repeatable { key, keep }) = repeatable else {
        return Ok(());
    };
    match keep(value) {
        Some(kept) => idempotency::finish(conn, &[(principal, key, kept)]).await,
        None => idempotency::abandon(conn, &[(principal, key)]).await,
    }
}
