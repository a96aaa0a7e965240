//! Who is there, on the topics that say so: `presence_state` for who joins, `presence_diff` for all when somebody comes or goes.
//!
//! Somebody is a user, present once for each channel that it has joined; each has a reference of its own (`phx_ref`), by which
//! clients keep them apart. What is present in other processes is read from the database ([`shared`]).

pub(super) mod shared;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::Principal;
use ledger::Book;
use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

use super::frame;
use super::members::Members;
use super::outbox::Outbox;

/// One presence: a channel that somebody has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) book: Book,
    pub(super) topic: String,
    /// Who it is: the user's id.
    pub(super) key: String,
    /// Since when, in seconds since 1970; shown, and nothing depends on it.
    pub(super) online_at_s: i64,
}

/// Entries by their reference.
pub(super) type Entries = BTreeMap<String, Entry>;

/// All that is present, as far as this process knows.
#[derive(Debug)]
pub(super) struct Presence {
    /// This process, told from all others and from itself before a restart.
    process: Uuid,
    last_ref: AtomicU64,
    known: Mutex<Known>,
    /// Told when there is something to share.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Known {
    /// By process; the own one is among them.
    processes: HashMap<Uuid, Entries>,
    /// Changes of the own ones that are not shared yet.
    unshared: shared::Unshared,
}

/// Somebody who has just joined.
pub(super) struct Joiner<'a> {
    pub(super) caller: &'a Principal,
    pub(super) topic: &'a str,
    pub(super) join_ref: &'a str,
    pub(super) outbox: &'a Arc<Outbox>,
}

/// By which a presence is ended.
#[derive(Debug)]
pub(super) struct Tracked(String);

/// As clients are shown somebody.
#[derive(Debug, Default, Serialize)]
struct Shown<'a> {
    metas: Vec<Meta<'a>>,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    phx_ref: &'a str,
    online_at: String,
}

/// A state by key, as `presence_state` has it.
type State<'a> = BTreeMap<&'a str, Shown<'a>>;

#[derive(Debug, Default, Serialize)]
struct Diff<'a> {
    joins: State<'a>,
    leaves: State<'a>,
}

impl Presence {
    /// Nobody is there.
    pub(super) fn new() -> Presence {
        let known = Mutex::default();
        Presence { process: Uuid::new_v4(), last_ref: AtomicU64::new(0), known, changed: Notify::new() }
    }

    /// Tells the joiner who is there, and then everybody that it is.
    pub(super) fn track(&self, members: &Members, joiner: &Joiner<'_>) -> Tracked {
        let (book, topic) = (joiner.caller.book, joiner.topic.to_owned());
        let reference = format!("{}.{}", self.process.simple(), self.last_ref.fetch_add(1, Ordering::Relaxed));
        let entry = Entry { book, topic, key: joiner.caller.user_id.to_string(), online_at_s: now_s() };
        let mut known = self.known();
        let present = known.processes.values().flatten();
        let state = state(present.filter(|(_, other)| other.book == book && other.topic == entry.topic));
        joiner.outbox.push(frame::push(joiner.join_ref, joiner.topic, "presence_state", &state));
        let joins = Entries::from([(reference.clone(), entry.clone())]);
        known.unshared.joined(&reference);
        known.processes.entry(self.process).or_default().insert(reference.clone(), entry);
        // Under the lock, so that no difference overtakes the one before.
        tell(members, &joins, &Entries::new());
        self.changed.notify_one();
        Tracked(reference)
    }

    /// Tells everybody that somebody left.
    pub(super) fn untrack(&self, members: &Members, Tracked(reference): &Tracked) {
        let mut known = self.known();
        let Some(entry) = known.processes.get_mut(&self.process).and_then(|own| own.remove(reference)) else { return };
        known.unshared.left(reference);
        tell(members, &Entries::new(), &Entries::from([(reference.clone(), entry)]));
        self.changed.notify_one();
    }

    /// Whether anybody is present here: only then does it matter who is elsewhere.
    fn is_used(&self) -> bool {
        self.known().processes.get(&self.process).is_some_and(|own| !own.is_empty())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics while holding the lock")
    }

    /// Takes over what is present in another process, and tells the difference; without any, that process is gone.
    fn replace(&self, members: &Members, process: Uuid, now: Entries) {
        let mut known = self.known();
        let before = known.processes.remove(&process).unwrap_or_default();
        let without = |some: &Entries, others: &Entries| -> Entries {
            let missing = some.iter().filter(|(reference, _)| !others.contains_key(*reference));
            missing.map(|(reference, entry)| (reference.clone(), entry.clone())).collect()
        };
        tell(members, &without(&now, &before), &without(&before, &now));
        if !now.is_empty() {
            known.processes.insert(process, now);
        }
    }
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Tells the members of each topic who came and who went.
fn tell(members: &Members, joins: &Entries, leaves: &Entries) {
    let mut diffs: BTreeMap<(Book, &str), Diff<'_>> = BTreeMap::new();
    for (reference, entry) in joins {
        let diff = diffs.entry((entry.book, &entry.topic)).or_default();
        show(&mut diff.joins, reference, entry);
    }
    for (reference, entry) in leaves {
        let diff = diffs.entry((entry.book, &entry.topic)).or_default();
        show(&mut diff.leaves, reference, entry);
    }
    for ((book, topic), diff) in diffs {
        members.broadcast(book, topic, &frame::broadcast(topic, "presence_diff", &diff));
    }
}

fn state<'a>(entries: impl Iterator<Item = (&'a String, &'a Entry)>) -> State<'a> {
    let mut state = State::new();
    entries.for_each(|(reference, entry)| show(&mut state, reference, entry));
    state
}

fn show<'a>(state: &mut State<'a>, phx_ref: &'a str, entry: &'a Entry) {
    let meta = Meta { phx_ref, online_at: entry.online_at_s.to_string() };
    state.entry(&entry.key).or_default().metas.push(meta);
}
