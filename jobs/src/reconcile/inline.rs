//! A run without a queue: the command line's, which does it in its own process and waits for it.

use domain::reconciliation::report::Summary;
use domain::reconciliation::runs::{self, NewRun};
use queue::{BoxError, JobError};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::Progress;
use super::engine::{self, Cursor, Keep, Task};
use crate::mirror::Mirror;

/// Keeps the pages of a run by transactions of the pool.
struct Pages<'a, F> {
    pool: &'a PgPool,
    tx: Option<Transaction<'static, Postgres>>,
    tell: F,
}

impl<F: FnMut(&Progress) + Send> Keep for Pages<'_, F> {
    async fn cursor(&mut self) -> Result<Option<Cursor>, JobError> {
        Ok(None)
    }

    async fn tx(&mut self) -> Result<&mut PgConnection, JobError> {
        if self.tx.is_none() {
            self.tx = Some(self.pool.begin().await?);
        }
        Ok(self.tx.as_mut().expect("it has just begun"))
    }

    async fn commit(&mut self, _: &Cursor) -> Result<(), JobError> {
        match self.tx.take() {
            Some(tx) => Ok(tx.commit().await?),
            None => Ok(()),
        }
    }

    async fn tell(&mut self, progress: &Progress) -> Result<(), JobError> {
        (self.tell)(progress);
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), JobError> {
        Ok(())
    }
}

/// Does a whole run here and now, on up to four connections of the pool, and with the Erlang ledger if there is one.
///
/// # Errors
/// When the database fails or there is no such book. What does not agree is no error: it is a break.
pub async fn run_inline(
    pool: &PgPool,
    new: &NewRun,
    mirror: Option<&Mirror>,
    tell: impl FnMut(&Progress) + Send,
) -> Result<Summary, BoxError> {
    let mut pages = Pages { pool, tx: None, tell };
    runs::ask(pages.tx().await?, new).await?;
    let mut reader = pool.acquire().await?;
    let mut verifier = if new.is_full { Some(pool.acquire().await?) } else { None };
    let mirror = mirror.map(|mirror| (mirror, pool));
    let task = Task { book: new.book, run: new.id, is_full: new.is_full, repair: new.repair, mirror };
    let done = engine::run(&task, &mut reader, verifier.as_deref_mut(), &mut pages).await?;
    Ok(done.expect("it begins at its first step").summary)
}
