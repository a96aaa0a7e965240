//! `Prefer: wait`: requests that wait until their transaction is recorded or rejected.
//!
//! One task asks for all of them at once, and only while somebody waits: a thousand waiting requests cost the database as
//! much as one.

use std::collections::HashMap;
use std::time::Duration;

use domain::transactions::{Status, Transaction, find_many};
use ledger::{Book, TransactionId};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

/// The pause between two questions while somebody waits.
const POLL_PAUSE: Duration = Duration::from_millis(15);

struct Wish {
    book: Book,
    id: TransactionId,
    answer: oneshot::Sender<Transaction>,
}

/// Where requests wait.
pub(crate) struct Waiters(mpsc::UnboundedSender<Wish>);

impl Waiters {
    /// Starts the task; it ends when the value is dropped.
    pub(crate) fn spawn(pool: PgPool) -> Waiters {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(watch(pool, receiver));
        Waiters(sender)
    }

    /// The transaction once it is no longer pending; none if that takes longer than `limit`.
    pub(crate) async fn settled(&self, book: Book, id: TransactionId, limit: Duration) -> Option<Transaction> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Wish { book, id, answer }).ok()?;
        tokio::time::timeout(limit, answered).await.ok()?.ok()
    }
}

async fn watch(pool: PgPool, mut wishes: mpsc::UnboundedReceiver<Wish>) {
    let mut waiting: HashMap<Book, HashMap<TransactionId, Vec<oneshot::Sender<Transaction>>>> = HashMap::new();
    loop {
        if waiting.is_empty() {
            let Some(wish) = wishes.recv().await else { return };
            waiting.entry(wish.book).or_default().entry(wish.id).or_default().push(wish.answer);
        }
        tokio::time::sleep(POLL_PAUSE).await;
        while let Ok(wish) = wishes.try_recv() {
            waiting.entry(wish.book).or_default().entry(wish.id).or_default().push(wish.answer);
        }
        for (book, waiting) in &mut waiting {
            waiting.retain(|_, answers| answers.iter().any(|answer| !answer.is_closed()));
            if let Err(error) = answer(&pool, *book, waiting).await {
                tracing::warn!(%error, "cannot tell waiting requests how far their transactions are");
            }
        }
        waiting.retain(|_, waiting| !waiting.is_empty());
    }
}

/// Answers those whose transaction is no longer pending.
async fn answer(
    pool: &PgPool,
    book: Book,
    waiting: &mut HashMap<TransactionId, Vec<oneshot::Sender<Transaction>>>,
) -> sqlx::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let ids: Vec<TransactionId> = waiting.keys().copied().collect();
    let found = find_many(&mut *pool.acquire().await?, book, &ids).await?;
    for transaction in found.into_iter().filter(|transaction| transaction.status != Status::Pending) {
        for answer in waiting.remove(&transaction.id).into_iter().flatten() {
            // A request that has gone away does not need its answer.
            let _ = answer.send(transaction.clone());
        }
    }
    Ok(())
}
