//! Events: facts for followers, written in the transaction that they tell of and read in commit order without gaps.
//!
//! A transaction's events are one row ([`publish`]). After its commit, whoever follows gives that row a number ([`log::number`]), once and
//! for all, and reads what comes after the last number that it knows ([`log::read`]). docs/ARCHITECTURE.md tells why that is the order of
//! the commits and why nothing is missed; docs/EVENTS.md lists what is published.

mod amount;
pub mod catalogue;
pub mod cursor;
pub mod filter;
pub mod log;
mod position;
pub mod topic;

use ledger::Book;
use serde::Serialize;
use sqlx::PgConnection;

pub use amount::Amount;
pub use position::{Position, WrongPosition};

/// The channel on which a process says, after a commit, that there may be events. A hint: followers also look by themselves.
pub const CHANNEL: &str = "app_event";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened, such as `transaction.recorded`.
    pub kind: &'static str,
    /// Whom it is for; see [`topic`].
    pub topics: Vec<String>,
    /// The facts, as JSON text.
    pub payload: String,
}

impl Event {
    /// An event of this kind, for these topics.
    ///
    /// # Panics
    /// When the payload is not plain data.
    pub fn new(kind: &'static str, topics: impl Into<Vec<String>>, payload: &impl Serialize) -> Event {
        let payload = serde_json::to_string(payload).expect("a payload has string keys and no failing serializer");
        Event { kind, topics: topics.into(), payload }
    }
}

/// Appends events to the book's log, in the caller's transaction: one row, whatever their number.
///
/// # Errors
/// When the database fails.
pub async fn publish(conn: &mut PgConnection, book: Book, events: &[Event]) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    debug_assert!(events.iter().all(is_listed), "an event is of a kind that the catalogue lists, with its members");
    let kinds: Vec<&str> = events.iter().map(|event| event.kind).collect();
    let topics: Vec<String> = events.iter().map(|event| event.topics.join(" ")).collect();
    let payloads: Vec<&str> = events.iter().map(|event| event.payload.as_str()).collect();
    let filter = filter::of(events.iter().flat_map(|event| &event.topics));
    sqlx::query!(
        "insert into app.event_batch (shard, book_id, kinds, topics, payloads, filter)
         values ($1, $2, $3, $4, $5, $6)",
        book.shard,
        book.id,
        &kinds as &[&str],
        &topics,
        &payloads as &[&str],
        filter,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether the catalogue has the event's kind and, in any order, just the members of its payload.
fn is_listed(event: &Event) -> bool {
    let Some(kind) = catalogue::find(event.kind) else {
        return cfg!(debug_assertions) && event.kind.starts_with("test.");
    };
    let payload: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&event.payload).unwrap_or_default();
    let mut listed: Vec<&str> = kind.payload.split(", ").collect();
    listed.sort_unstable();
    payload.keys().map(String::as_str).eq(listed)
}
