//! Safe repair: what follows from the log is derived again, and lost work is enqueued under the id that it had. Nothing that
//! is recorded is touched; each repair is a change of its break's life.

use std::collections::HashSet;

use domain::reconciliation::Window;
use domain::reconciliation::breaks::{self, Repairable};
use ledger::AccountId;
use ledger::reconcile::repair;
use queue::JobError;
use queue::inspect::whereabouts;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::record_transaction::RecordTransaction;

/// Repairs what this run found and may be repaired, in one transaction that holds the book.
pub(super) async fn all(tx: &mut PgConnection, window: &Window, run: Uuid) -> Result<(), JobError> {
    let book = window.ledger.book;
    let found = breaks::repairable(tx, book, run).await?;
    if found.is_empty() {
        return Ok(());
    }
    repair::lock(tx, book).await?;
    // The list of open holds first: what accounts hold follows from it.
    let (held, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|one| one.sub_class == "held");
    for one in &rest {
        if let Some(done) = one_of(tx, window, one).await? {
            healed(tx, window, run, one, done).await?;
        }
    }
    if !held.is_empty() {
        let accounts: HashSet<AccountId> = repair::held(tx, &window.ledger).await?.into_iter().collect();
        for one in held.iter().filter(|one| subject(one).is_some_and(|id| accounts.contains(&AccountId(id)))) {
            healed(tx, window, run, one, "what the account holds was added up again from the open holds").await?;
        }
    }
    Ok(())
}

fn subject(one: &Repairable) -> Option<Uuid> {
    Uuid::try_parse(&one.subject).ok()
}

async fn healed(
    tx: &mut PgConnection,
    window: &Window,
    run: Uuid,
    one: &Repairable,
    what: &str,
) -> Result<(), JobError> {
    breaks::heal(tx, window.ledger.book, run, one.id, what).await.map_err(JobError::retry)
}

/// Repairs one break; what was done, if anything could be.
async fn one_of(tx: &mut PgConnection, window: &Window, one: &Repairable) -> Result<Option<&'static str>, JobError> {
    let Some(id) = subject(one) else { return Ok(None) };
    let book = window.ledger.book;
    let (is_done, what) = match (one.class.as_str(), one.sub_class.as_str()) {
        ("R2", _) => (
            repair::balance(tx, book, AccountId(id)).await?,
            "balance and version were written again from the account's entries",
        ),
        ("R4", "no_hold" | "ended") => {
            (repair::unlist_hold(tx, book, id).await?, "the hold was taken off the list of open ones")
        }
        ("R4", _) => (repair::list_hold(tx, book, id).await?, "the hold was listed again from its leaf"),
        _ => (enqueue(tx, book.shard, id).await?, "its job was enqueued again under the same id"),
    };
    Ok(is_done.then_some(what))
}

/// Enqueues the recording of a request again, unless somebody else has done so meanwhile.
async fn enqueue(tx: &mut PgConnection, shard: i16, id: Uuid) -> Result<bool, JobError> {
    let jobs = whereabouts(tx, shard, &[id]).await?;
    if jobs.live.contains(&id) || jobs.dead.contains(&id) {
        return Ok(false);
    }
    queue::enqueue(tx, &[RecordTransaction::again(shard, id)]).await?;
    Ok(true)
}
