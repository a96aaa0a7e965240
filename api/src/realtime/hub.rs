//! Where subscribers wait for events: by topic, each with a bounded queue.
//!
//! Nobody waits for a subscriber. One whose queue is full is told that it lagged and is closed; it comes back with the id of the last event
//! that it saw, and [`Hub::follow`] gives it what it missed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use domain::events::Position;
use domain::events::log::{self, LoggedEvent};
use ledger::Book;
use sqlx::PgPool;
use tokio::sync::{Notify, mpsc, watch};

use super::subscription::{Delivery, Slot, Subscription};
use super::{follow, metrics};

/// Events that wait for one subscriber at most.
const QUEUE_MAX: usize = 1_024;

/// What a subscriber wants to hear of.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The book that the caller acts in: nothing of another one is ever delivered.
    pub(crate) book: Book,
    /// These topics; none: everything that is not secret. The caller has checked the right to each.
    pub(crate) topics: Option<Vec<String>>,
    /// Only these kinds; none: all.
    pub(crate) kinds: Option<Vec<String>>,
}

/// Why no subscription began.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What came after the position is no longer kept, or it is of no event of this log.
    Gone,
    /// The database failed.
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Refused {
        Refused::Database(error)
    }
}

/// The topic under which those are kept who want everything.
const EVERYTHING: &str = "";

#[derive(Default)]
struct Inner {
    /// Subscribers by what they want: the book, then the topic.
    books: HashMap<i32, HashMap<String, HashMap<u64, Arc<Slot>>>>,
    /// Every event up to here was handed out; none while nobody follows.
    position: Option<Position>,
    /// How many events were handed out.
    turn: u64,
    /// How many subscriptions there are.
    subscriptions: usize,
}

/// The hub of this process.
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    next_id: AtomicU64,
    /// Connections that read the log, apart from those of requests.
    pub(super) log: PgPool,
    pub(super) shard: i16,
    /// There may be events, or a first subscriber.
    pub(super) hint: Notify,
    /// The last commit that was handed out whole, as far as the follower knows.
    reached: watch::Sender<Option<i64>>,
    /// Whether the process is about to end.
    closing: watch::Sender<bool>,
}

impl Hub {
    /// Starts the follower of this shard, which reads nothing while nobody subscribes. It ends with the hub.
    pub(crate) fn spawn(pool: &PgPool, shard: i16) -> Arc<Hub> {
        let hub = Arc::new(Hub {
            inner: Mutex::default(),
            next_id: AtomicU64::new(1),
            log: follow::pool(pool),
            shard,
            hint: Notify::new(),
            reached: watch::Sender::new(None),
            closing: watch::Sender::new(false),
        });
        follow::spawn(&hub, pool);
        hub
    }

    /// What happens from now on: whatever is committed after this returns.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn subscribe(self: &Arc<Hub>, wanted: Wanted) -> Result<Subscription, Refused> {
        let (subscription, _) = self.enter(wanted).await?;
        Ok(subscription)
    }

    /// What happened after this position, and then what happens from now on, with nothing missing or twice in between: the subscription is
    /// entered first, and the log is read up to where it begins.
    ///
    /// # Errors
    /// [`Refused::Gone`]; when the database fails.
    pub(crate) async fn follow(self: &Arc<Hub>, wanted: Wanted, after: Position) -> Result<Subscription, Refused> {
        let (mut subscription, begins_at) = self.enter(wanted).await?;
        let bounds = log::bounds(&mut *self.log.acquire().await?, self.shard).await?;
        if !bounds.has_all_after(after) {
            return Err(Refused::Gone);
        }
        subscription.replay(after, begins_at);
        Ok(subscription)
    }

    /// Asks everybody to let their clients go: the process is about to end.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Completes when [`close`](Self::close) is called, or at once if it was.
    pub(crate) async fn closing(&self) {
        let mut closing = self.closing.subscribe();
        // The sender is this hub's own.
        let _ = closing.wait_for(|is_closing| *is_closing).await;
    }

    /// Says that there may be events.
    pub(crate) fn hint(&self) {
        self.hint.notify_one();
    }

    async fn enter(self: &Arc<Hub>, wanted: Wanted) -> Result<(Subscription, Position), Refused> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let slot = Arc::new(Slot::new(id, sender, wanted.kinds.clone()));
        {
            let mut inner = self.lock();
            let topics = inner.books.entry(wanted.book.id).or_default();
            for topic in keys(&wanted) {
                topics.entry(topic).or_default().insert(id, Arc::clone(&slot));
            }
            inner.subscriptions += 1;
            metrics::subscriptions(inner.subscriptions);
        }
        // From here on, it is taken out again when it is dropped.
        let subscription = Subscription::new(Arc::clone(self), wanted, slot, receiver);
        self.hint();
        let mut reached = self.reached.subscribe();
        loop {
            // Read under the lock that events are handed out under: everything up to here was, before or after the entry above.
            if let Some(position) = self.lock().position {
                return Ok((subscription, position));
            }
            // The sender is this hub's own.
            let _ = reached.wait_for(Option::is_some).await;
        }
    }

    /// Returns when everything that is committed now has been handed out. To be called by a subscriber: without one, nothing is.
    pub(crate) async fn catch_up(&self) -> sqlx::Result<()> {
        let last = log::number(&self.log, self.shard).await?;
        self.hint();
        let _ = self.reached.subscribe().wait_for(|reached| reached.is_some_and(|seq| seq >= last)).await;
        Ok(())
    }

    /// Takes a subscriber out.
    pub(super) fn leave(&self, id: u64, wanted: &Wanted) {
        let mut inner = self.lock();
        inner.subscriptions -= 1;
        metrics::subscriptions(inner.subscriptions);
        let Some(topics) = inner.books.get_mut(&wanted.book.id) else { return };
        for topic in keys(wanted) {
            if let Some(slots) = topics.get_mut(&topic) {
                slots.remove(&id);
                if slots.is_empty() {
                    topics.remove(&topic);
                }
            }
        }
        if topics.is_empty() {
            inner.books.remove(&wanted.book.id);
        }
    }

    /// Where the follower goes on; none: nobody wants anything, or it does not know yet.
    pub(super) fn position(&self) -> Option<Position> {
        self.lock().position
    }

    pub(super) fn has_subscribers(&self) -> bool {
        !self.lock().books.is_empty()
    }

    /// The follower begins here: what comes after is handed out.
    pub(super) fn begin(&self, position: Position) {
        self.lock().position = Some(position);
        self.reached.send_replace(Some(position.seq));
    }

    /// The follower stops, if still nobody wants anything.
    pub(super) fn rest(&self) {
        let mut inner = self.lock();
        if inner.books.is_empty() {
            inner.position = None;
            self.reached.send_replace(None);
        }
    }

    /// Hands out events, which end at `through`.
    pub(super) fn hand_out(&self, events: Vec<LoggedEvent>, through: Position) {
        metrics::handed_out(events.len(), events.first().map(|event| event.at));
        let mut inner = self.lock();
        for event in events.into_iter().filter(|event| !is_secret(event)) {
            inner.hand_out(&Delivery::new(event));
        }
        inner.position = Some(through);
        drop(inner);
        // Part of a commit may be left: whoever waits for it waits for the commit before.
        let is_whole = through.event == i32::MAX;
        self.reached.send_replace(Some(if is_whole { through.seq } else { through.seq - 1 }));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while it is held")
    }
}

impl Inner {
    /// Offers one event to everybody who wants it, once each.
    fn hand_out(&mut self, delivery: &Arc<Delivery>) {
        self.turn += 1;
        let Some(topics) = self.books.get(&delivery.event.book.id) else { return };
        for topic in delivery.event.topics.iter().map(String::as_str).chain([EVERYTHING]) {
            let Some(slots) = topics.get(topic) else { continue };
            slots.values().for_each(|slot| slot.offer(self.turn, delivery));
        }
    }
}

/// Whether it is for a part of the service and for nobody outside.
pub(super) fn is_secret(event: &LoggedEvent) -> bool {
    event.topics.iter().any(|topic| topic == domain::events::topic::MAIL)
}

fn keys(wanted: &Wanted) -> Vec<String> {
    wanted.topics.clone().unwrap_or_else(|| vec![EVERYTHING.to_owned()])
}
