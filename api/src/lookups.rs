//! Reads of one transaction: those that come at once share a statement.
//!
//! A round trip costs more than a look-up. What is asked for while the last statement is under way is gathered and read by the next one; an
//! idle process adds no delay.

use std::collections::HashMap;
use std::time::Duration;

use domain::transactions::{Transaction, find_many};
use domain::{Error, Principal, transactions};
use ledger::{Book, TransactionId};
use queue::Kept;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Look-ups of one statement at most.
const GROUP_MAX: usize = 256;
/// Look-ups that may wait for a statement; whoever comes then waits for a place.
const WAITING_MAX: usize = 4_096;
/// How often to let others run before a group that is smaller than the last one is closed.
const YIELDS_MAX: usize = 8;
/// How long to wait for a connection, and then for the statement.
const PATIENCE: Duration = Duration::from_secs(5);

struct Wish {
    book: Book,
    id: TransactionId,
    /// Dropped without a word when it cannot be read.
    answer: oneshot::Sender<Option<Transaction>>,
}

/// Where requests ask.
pub(crate) struct Lookups {
    wishes: mpsc::Sender<Wish>,
    /// For what takes another look.
    pool: PgPool,
}

impl Lookups {
    /// Starts the task that reads; it ends with the value.
    pub(crate) fn spawn(pool: PgPool) -> Lookups {
        let (wishes, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(read_groups(Kept::new(connections(&pool)), receiver));
        Lookups { wishes, pool }
    }

    /// The transaction, if the caller made it or owns an account that takes part; read after this was called.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none, or it is somebody else's; [`Error::Unavailable`] when the database fails.
    pub(crate) async fn transaction(&self, caller: &Principal, id: TransactionId) -> Result<Transaction, Error> {
        let (answer, answered) = oneshot::channel();
        self.wishes.send(Wish { book: caller.book, id, answer }).await.map_err(|_| Error::Unavailable)?;
        let found = answered.await.map_err(|_| Error::Unavailable)?.ok_or(Error::NotFound)?;
        if transactions::is_open_to(caller, &found) {
            return Ok(found);
        }
        transactions::seen_by(&mut *self.pool.acquire().await?, caller, found).await
    }
}

/// A connection of its own, on which the statement is planned once: its plan never depends on what is asked for.
fn connections(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus api lookups");
    let options = options.options([("plan_cache_mode", "force_generic_plan")]);
    queue::pool_options().max_connections(1).acquire_timeout(PATIENCE).connect_lazy_with(options)
}

async fn read_groups(mut kept: Kept, mut wishes: mpsc::Receiver<Wish>) {
    let (mut group, mut last) = (Vec::new(), 0);
    while wishes.recv_many(&mut group, GROUP_MAX).await > 0 {
        // Those who were answered a moment ago are about to ask again: they are let run first.
        for _ in 0..YIELDS_MAX {
            while group.len() < GROUP_MAX
                && let Ok(wish) = wishes.try_recv()
            {
                group.push(wish);
            }
            if group.len() >= last {
                break;
            }
            tokio::task::yield_now().await;
        }
        last = group.len();
        let mut by_book: HashMap<Book, Vec<Wish>> = HashMap::new();
        for wish in group.drain(..).filter(|wish| !wish.answer.is_closed()) {
            by_book.entry(wish.book).or_default().push(wish);
        }
        for (book, wishes) in by_book {
            answer(&mut kept, book, wishes).await;
        }
    }
}

/// Answers everybody in it.
async fn answer(kept: &mut Kept, book: Book, wishes: Vec<Wish>) {
    let ids: Vec<TransactionId> = wishes.iter().map(|wish| wish.id).collect();
    match read(kept, book, &ids).await {
        Ok(found) => {
            let found: HashMap<_, _> = found.into_iter().map(|transaction| (transaction.id, transaction)).collect();
            for wish in wishes {
                // A request that has gone away does not need its answer.
                let _ = wish.answer.send(found.get(&wish.id).cloned());
            }
        }
        Err(error) => tracing::warn!(%error, requests = wishes.len(), "transactions cannot be read"),
    }
}

async fn read(kept: &mut Kept, book: Book, ids: &[TransactionId]) -> sqlx::Result<Vec<Transaction>> {
    let found = timeout(PATIENCE, find_many(kept.get().await?, book, ids)).await;
    let found = found.unwrap_or_else(|_late| {
        // The answer may never come, and whoever asks next should not wait for it.
        kept.close();
        Err(sqlx::Error::PoolTimedOut)
    })?;
    kept.answered();
    Ok(found)
}
