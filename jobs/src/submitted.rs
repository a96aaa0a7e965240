//! One effect for one request, however often it is sent: what every `submit` of a single thing shares.

use domain::idempotency::{self, Begin, Key};
use domain::{Error, Principal};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

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

/// One request of an operator that is being done: its transaction, and the claim on its key.
pub struct Doing<'a> {
    tx: Transaction<'static, Postgres>,
    principal: &'a Principal,
    repeatable: Option<Repeatable<Value>>,
}

impl<'a> Doing<'a> {
    /// Begins, or tells what was kept of the answer if the request was done before.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`]; when the database fails.
    pub async fn begin(
        pool: &PgPool,
        principal: &'a Principal,
        repeatable: Option<Repeatable<Value>>,
    ) -> Result<Submitted<Doing<'a>>, Error> {
        let mut tx = pool.begin().await?;
        Ok(match begin(&mut tx, principal, repeatable.as_ref()).await? {
            Some(kept) => Submitted::Replayed(kept),
            None => Submitted::Done(Doing { tx, principal, repeatable }),
        })
    }

    /// The transaction; all that the request does is done here.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Keeps the answer for a repetition, and commits.
    ///
    /// # Errors
    /// When the database fails; nothing was done then.
    pub async fn finish(mut self, answer: &Value) -> Result<(), Error> {
        finish(&mut self.tx, self.principal, self.repeatable.as_ref(), answer).await?;
        Ok(self.tx.commit().await?)
    }
}
