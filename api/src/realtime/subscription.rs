//! A subscriber's end: what was missed, then what happens.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use domain::events::Position;
use domain::events::log::{self, LoggedEvent, Most, Which};
use hyper::body::Bytes;
use tokio::sync::mpsc;

use super::hub::{Hub, Wanted, is_secret};

/// How much a replay reads at once.
const REPLAY: Most = Most { commits: 2_000, events: 500 };

/// An event on its way to everybody who wants it.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) event: LoggedEvent,
    text: OnceLock<Bytes>,
}

impl Delivery {
    pub(super) fn new(event: LoggedEvent) -> Arc<Delivery> {
        Arc::new(Delivery { event, text: OnceLock::new() })
    }

    /// What is sent to all streams of server-sent events, made once by whichever sends first.
    pub(super) fn text(&self, make: impl FnOnce(&LoggedEvent) -> Bytes) -> Bytes {
        self.text.get_or_init(|| make(&self.event)).clone()
    }
}

/// Why a subscription ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It took too long to read what came: follow again from the last event that was read.
    Lagged,
    /// The log could not be read.
    Database(sqlx::Error),
}

/// The hub's end of a subscription.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u64,
    sender: mpsc::Sender<Arc<Delivery>>,
    kinds: Option<Vec<String>>,
    /// The last event that was offered, by its turn: one that comes by several topics is wanted once.
    turn: AtomicU64,
    has_lagged: AtomicBool,
}

impl Slot {
    pub(super) fn new(id: u64, sender: mpsc::Sender<Arc<Delivery>>, kinds: Option<Vec<String>>) -> Slot {
        Slot { id, sender, kinds, turn: AtomicU64::new(0), has_lagged: AtomicBool::new(false) }
    }

    /// Queues it, if it is wanted and there is room; once there was none, nothing more is.
    pub(super) fn offer(&self, turn: u64, delivery: &Arc<Delivery>) {
        if self.turn.swap(turn, Ordering::Relaxed) == turn {
            return;
        }
        if self.has_lagged.load(Ordering::Relaxed) || !is_wanted(self.kinds.as_deref(), &delivery.event) {
            return;
        }
        if self.sender.try_send(Arc::clone(delivery)).is_err() {
            self.has_lagged.store(true, Ordering::Relaxed);
            super::metrics::cut_off();
        }
    }
}

fn is_wanted(kinds: Option<&[String]>, event: &LoggedEvent) -> bool {
    kinds.is_none_or(|kinds| kinds.contains(&event.kind))
}

/// What is left to replay.
struct Replay {
    after: Position,
    until: Position,
    read: VecDeque<Arc<Delivery>>,
}

/// One subscriber; it leaves the hub when it is dropped.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    wanted: Wanted,
    slot: Arc<Slot>,
    live: mpsc::Receiver<Arc<Delivery>>,
    replay: Option<Replay>,
    /// What is not beyond it was delivered, or was not asked for.
    after: Position,
}

impl Subscription {
    pub(super) fn new(
        hub: Arc<Hub>,
        wanted: Wanted,
        slot: Arc<Slot>,
        live: mpsc::Receiver<Arc<Delivery>>,
    ) -> Subscription {
        Subscription { hub, wanted, slot, live, replay: None, after: Position::START }
    }

    /// Begins with what came after `after`, up to where the live events begin.
    pub(super) fn replay(&mut self, after: Position, until: Position) {
        self.after = after;
        self.replay = Some(Replay { after, until, read: VecDeque::new() });
    }

    /// The next event, in the order of the log. To be asked until it answers an end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Ended`].
    pub(crate) async fn next(&mut self) -> Result<Arc<Delivery>, Ended> {
        while self.replay.is_some() {
            if let Some(delivery) = self.replayed().await.map_err(Ended::Database)? {
                self.after = delivery.event.position;
                return Ok(delivery);
            }
        }
        loop {
            let delivery = match self.live.try_recv() {
                Ok(delivery) => delivery,
                Err(_) if self.slot.has_lagged.load(Ordering::Relaxed) => return Err(Ended::Lagged),
                Err(_) => self.live.recv().await.expect("the slot with its sender is kept here"),
            };
            if delivery.event.position > self.after {
                self.after = delivery.event.position;
                return Ok(delivery);
            }
        }
    }

    /// How far the subscriber has got, if it has been given everything up to there.
    pub(crate) fn caught_up(&self) -> Option<Position> {
        // First the position, then the queue: what is not beyond the one was in the other before.
        let position = self.hub.position()?;
        (self.replay.is_none() && self.live.is_empty()).then_some(position.max(self.after))
    }

    /// The next event of the replay; none: look again, at it or at what is live.
    async fn replayed(&mut self) -> sqlx::Result<Option<Arc<Delivery>>> {
        let Some(replay) = &mut self.replay else { return Ok(None) };
        if let Some(delivery) = replay.read.pop_front() {
            return Ok(Some(delivery));
        }
        if replay.after >= replay.until {
            self.replay = None;
            return Ok(None);
        }
        let topics = self.wanted.topics.as_deref();
        let which = Which { book: Some(self.wanted.book.id), topics, until: Some(replay.until.seq) };
        let mut conn = self.hub.log.acquire().await?;
        let page = log::read(&mut conn, self.hub.shard, replay.after, which, REPLAY).await?;
        let kinds = self.wanted.kinds.as_deref();
        let wanted = page.events.into_iter().filter(|event| !is_secret(event) && is_wanted(kinds, event));
        replay.read = wanted.map(Delivery::new).collect();
        replay.after = page.through.unwrap_or(replay.until);
        Ok(None)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.leave(self.slot.id, &self.wanted);
    }
}
