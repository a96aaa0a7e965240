//! Who has joined what, in this process: an event is encoded once for each topic and handed to every member, without waiting for one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

use domain::events::Position;
use domain::events::log::LoggedEvent;
use ledger::Book;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::frame;
use super::outbox::{FRAMES_MAX, Goodbye, Outbox};
use super::topics::TopicMap;

/// A client's connection, by its number.
pub(super) type SocketId = u64;

/// A topic of a book; nothing of one book is told in another.
type Topics = HashMap<(Book, String), HashMap<SocketId, Member>>;

/// The members of all topics.
#[derive(Debug, Default)]
pub(super) struct Members(RwLock<Topics>);

#[derive(Debug)]
struct Member {
    outbox: Arc<Outbox>,
    told: Mutex<Told>,
}

/// How far a member is.
#[derive(Debug)]
enum Told {
    /// It is still being told of what it missed: what comes is kept for later.
    Held(Vec<(Position, Frame)>),
    /// It was told of everything up to there; what comes is told at once.
    Until(Position),
}

impl Member {
    fn tell(&self, position: Position, frame: &Frame) {
        match &mut *self.told.lock().expect("nobody panics while holding the lock") {
            // One that comes by two topics of the log is told once, as is one that was among what it missed.
            Told::Until(until) if position <= *until => {}
            Told::Until(until) => {
                *until = position;
                self.outbox.push(frame.clone());
            }
            Told::Held(held) if held.last().is_some_and(|(last, _)| position <= *last) => {}
            Told::Held(held) if held.len() < FRAMES_MAX => held.push((position, frame.clone())),
            Told::Held(_too_many) => self.outbox.close(Goodbye::Slow),
        }
    }

    fn release(&self, frames: Vec<Frame>, until: Position) {
        // Under the lock, so that nothing newer overtakes it.
        let mut told = self.told.lock().expect("nobody panics while holding the lock");
        let Told::Held(held) = std::mem::replace(&mut *told, Told::Until(until)) else { return };
        let last = held.last().map_or(until, |(last, _)| until.max(*last));
        *told = Told::Until(last);
        let held = held.into_iter().filter(|(position, _)| *position > until).map(|(_, frame)| frame);
        self.outbox.push_all(frames.into_iter().chain(held));
    }
}

impl Members {
    /// Adds a member; what comes for it is kept until [`Members::release`].
    pub(super) fn join(&self, book: Book, topic: &str, socket: SocketId, outbox: &Arc<Outbox>) {
        let member = Member { outbox: outbox.clone(), told: Mutex::new(Told::Held(Vec::new())) };
        self.write(|topics| topics.entry((book, topic.to_owned())).or_default().insert(socket, member));
    }

    /// Sends these frames, which tell of everything up to `until`, then what came meanwhile, and from then on what comes.
    pub(super) fn release(&self, book: Book, topic: &str, socket: SocketId, frames: Vec<Frame>, until: Position) {
        self.read(|topics| {
            if let Some(member) = topics.get(&(book, topic.to_owned())).and_then(|members| members.get(&socket)) {
                member.release(frames, until);
            }
        });
    }

    /// Removes a member: nothing of this topic is put into its outbox any more.
    pub(super) fn leave(&self, book: Book, topic: &str, socket: SocketId) {
        self.write(|topics| {
            let key = (book, topic.to_owned());
            let Some(members) = topics.get_mut(&key) else { return };
            members.remove(&socket);
            if members.is_empty() {
                topics.remove(&key);
            }
        });
    }

    /// Hands an event to all whom it concerns.
    pub(super) fn tell(&self, map: &TopicMap, event: &LoggedEvent) {
        for (topic, name) in event.topics.iter().flat_map(|topic| map.followers(topic)) {
            // Most events concern nobody who is here: those are not even encoded.
            let key = (event.book, name);
            if !self.read(|topics| topics.contains_key(&key)) {
                continue;
            }
            let Some((kind, payload)) = topic.render(event) else { continue };
            let frame = frame::broadcast(&key.1, kind, &payload);
            self.each(&key, |member| member.tell(event.position, &frame));
        }
    }

    /// Sends a frame that is no event's to every member of a topic.
    pub(super) fn broadcast(&self, book: Book, topic: &str, frame: &Frame) {
        self.each(&(book, topic.to_owned()), |member| member.outbox.push(frame.clone()));
    }

    /// Whether a book has any.
    pub(super) fn has_any(&self, book: Book) -> bool {
        self.read(|topics| topics.keys().any(|(of, _)| *of == book))
    }

    fn each(&self, key: &(Book, String), with: impl Fn(&Member)) {
        self.read(|topics| topics.get(key).into_iter().flatten().for_each(|(_, member)| with(member)));
    }

    fn read<T>(&self, with: impl FnOnce(&Topics) -> T) -> T {
        with(&self.0.read().expect("nobody panics while holding the lock"))
    }

    fn write<T>(&self, with: impl FnOnce(&mut Topics) -> T) -> T {
        with(&mut self.0.write().expect("nobody panics while holding the lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::phoenix::outbox::Next;
    use crate::realtime::phoenix::topics::sample;

    const BOOK: Book = Book::MAIN;

    fn at(seq: i64) -> Position {
        Position { seq, event: 1 }
    }

    fn event(seq: i64) -> LoggedEvent {
        LoggedEvent { position: at(seq), ..sample("transaction.recorded", "{}") }
    }

    fn sent(outbox: &Outbox) -> usize {
        std::iter::from_fn(|| outbox.try_next()).filter(|next| matches!(next, Next::Frame(_))).count()
    }

    #[test]
    fn between_what_was_missed_and_what_comes_nothing_is_lost_or_told_twice() {
        let (members, map, outbox) = (Members::default(), TopicMap::default(), Arc::<Outbox>::default());
        members.tell(&map, &event(1));
        members.join(BOOK, "transactions:7", 1, &outbox);
        // The log holds five by now, of which this process has been told three.
        members.tell(&map, &event(2));
        members.tell(&map, &event(3));
        assert_eq!(sent(&outbox), 0, "they are held");
        members.tell(&map, &event(6));
        members.release(BOOK, "transactions:7", 1, vec![Frame::text("missed")], at(5));
        assert_eq!(sent(&outbox), 2, "what was missed, and the sixth");
        members.tell(&map, &event(4));
        members.tell(&map, &event(5));
        assert_eq!(sent(&outbox), 0, "these were among what was missed");
        members.tell(&map, &event(7));
        assert_eq!(sent(&outbox), 1);
        members.leave(BOOK, "transactions:7", 1);
        members.tell(&map, &event(8));
        assert_eq!(sent(&outbox), 0);
    }

    #[test]
    fn all_members_share_one_frame() {
        let (members, map) = (Members::default(), TopicMap::default());
        let outboxes: [Arc<Outbox>; 3] = Default::default();
        for (id, outbox) in (0..).zip(&outboxes) {
            members.join(BOOK, "transactions:7", id, outbox);
            members.release(BOOK, "transactions:7", id, Vec::new(), at(0));
        }
        members.tell(&map, &event(1));
        let starts = outboxes.map(|outbox| match outbox.try_next() {
            Some(Next::Frame(Frame::Text(text))) => text.as_str().as_ptr(),
            other => panic!("{other:?}"),
        });
        assert!(starts.iter().all(|start| *start == starts[0]), "it is encoded once");
    }
}
