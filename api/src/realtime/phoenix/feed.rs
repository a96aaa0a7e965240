//! Events of the log, on their way to members: one task for each book reads what the hub hands out, for as long as the process has
//! members in that book.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use domain::events::Position;
use domain::events::log::{self, LoggedEvent, Most, Which};
use ledger::Book;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::Phoenix;
use crate::realtime::hub::{Hub, Refused, Wanted, is_secret};
use crate::realtime::subscription::Subscription;

/// So many events are told to one who was away; who missed more has to read the state anew.
pub(super) const MISSED_MAX: usize = 1_000;

/// How much of the log is read at once, and how often, for one who was away.
const PAGE: Most = Most { commits: 2_000, events: MISSED_MAX as i64 + 1 };
const PAGES_MAX: usize = 50;

/// So many read at once what they missed: the follower's connections must not all be theirs.
const READERS_MAX: usize = 2;

/// While nothing happens, whether anybody is left is looked up so often.
const LOOK_UP: Duration = Duration::from_secs(5);

/// The pause after a failure.
const BACKOFF: Duration = Duration::from_millis(250);

/// Where channels hear of events.
pub(super) struct Feed {
    hub: Arc<Hub>,
    /// The books that a task reads for.
    books: Mutex<HashSet<Book>>,
    readers: Semaphore,
}

/// What somebody missed who was away.
#[derive(Debug)]
pub(super) struct Missed {
    /// In the order of the log; empty if it is not all.
    pub(super) events: Vec<LoggedEvent>,
    /// Whether it is all.
    pub(super) is_complete: bool,
    /// How far the log was read.
    pub(super) until: Position,
}

impl Feed {
    pub(super) fn new(hub: &Arc<Hub>) -> Feed {
        Feed { hub: hub.clone(), books: Mutex::default(), readers: Semaphore::new(READERS_MAX) }
    }

    /// Sees to it that members of the book are told what happens; whoever is one already is told of everything after the position that
    /// this returns.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn begin(&self, phoenix: &Arc<Phoenix>, book: Book) -> sqlx::Result<Position> {
        let mut books = self.books.lock().await;
        if !books.contains(&book) {
            let subscription = self.hub.subscribe(wanted(book)).await.map_err(failure)?;
            tokio::spawn(follow(Arc::downgrade(phoenix), book, subscription));
            books.insert(book);
        }
        // The hub has one while somebody subscribes.
        self.hub.position().ok_or(sqlx::Error::WorkerCrashed)
    }

    /// What happened to these topics of the log after a position.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn missed(&self, book: Book, topics: &[String], after: Position) -> sqlx::Result<Missed> {
        let _turn = self.readers.acquire().await.expect("it is never closed");
        let mut conn = self.hub.log.acquire().await?;
        let bounds = log::bounds(&mut conn, book.shard).await?;
        let until = Position::end_of(bounds.last);
        let nothing = Missed { events: Vec::new(), is_complete: false, until };
        if !bounds.has_all_after(after) {
            return Ok(nothing);
        }
        let which = Which { book: Some(book.id), topics: Some(topics), until: Some(bounds.last) };
        let (mut events, mut through) = (Vec::new(), after);
        for _ in 0..PAGES_MAX {
            let page = log::read(&mut conn, book.shard, through, which, PAGE).await?;
            events.extend(page.events.into_iter().filter(|event| !is_secret(event)));
            if events.len() > MISSED_MAX {
                break;
            }
            through = page.through.unwrap_or(until);
            if through >= until {
                return Ok(Missed { events, is_complete: true, until });
            }
        }
        Ok(nothing)
    }

    /// Whether to go on for a book; if not, it is begun anew by the next who joins.
    async fn goes_on(&self, phoenix: &Phoenix, book: Book) -> bool {
        let mut books = self.books.lock().await;
        let goes_on = phoenix.members.has_any(book);
        if !goes_on {
            books.remove(&book);
        }
        goes_on
    }
}

/// Everything that happens in a book.
fn wanted(book: Book) -> Wanted {
    Wanted { book, topics: None, kinds: None }
}

fn failure(refused: Refused) -> sqlx::Error {
    match refused {
        Refused::Database(error) => error,
        Refused::Gone => sqlx::Error::RowNotFound,
    }
}

/// Tells the members of a book what happens, until there are none.
async fn follow(phoenix: Weak<Phoenix>, book: Book, mut subscription: Subscription) {
    let mut last = Position::START;
    loop {
        let next = timeout(LOOK_UP, subscription.next()).await;
        let Some(phoenix) = phoenix.upgrade() else { return };
        match next {
            Ok(Ok(delivery)) => {
                last = delivery.event.position;
                phoenix.members.tell(&phoenix.limits.topics, &delivery.event);
            }
            Ok(Err(ended)) => {
                tracing::debug!(?ended, "the feed of channels begins again where it ended");
                subscription = again(&phoenix, book, last).await;
            }
            Err(_nothing) if phoenix.feed.goes_on(&phoenix, book).await => {}
            Err(_nothing) => return,
        }
    }
}

/// A subscription that goes on after this position. If what came after it is not kept any more, the clients have to join again.
async fn again(phoenix: &Phoenix, book: Book, last: Position) -> Subscription {
    let hub = &phoenix.feed.hub;
    loop {
        let begun = if last == Position::START { Err(Refused::Gone) } else { hub.follow(wanted(book), last).await };
        let begun = match begun {
            Err(Refused::Gone) => {
                let subscription = hub.subscribe(wanted(book)).await;
                phoenix.sockets.break_channels();
                subscription
            }
            other => other,
        };
        match begun {
            Ok(subscription) => return subscription,
            Err(error) => {
                tracing::warn!(?error, "the log cannot be followed; channels hear of events late");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}
