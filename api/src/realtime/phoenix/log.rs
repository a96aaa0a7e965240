//! An event of the log, as channels take it.

use ledger::Book;
use serde_json::value::RawValue;

/// Where an event stands in the log: the number of its batch and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position(pub(super) i64, pub(super) i32);

/// What happened.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) book: Book,
    pub(super) position: Position,
    /// The same as a client hands it over as `last_event_id`.
    pub(super) id: String,
    /// Such as `transaction.recorded`.
    pub(super) kind: String,
    /// When, RFC 3339.
    pub(super) at: String,
    /// Whom it is for.
    pub(super) topics: Vec<String>,
    /// The facts, as JSON.
    pub(super) data: Box<RawValue>,
}

/// What somebody missed who was away.
#[derive(Debug)]
pub(super) struct Missed {
    /// In the order of the log; empty if it is not all.
    pub(super) events: Vec<Event>,
    /// Whether it is all.
    pub(super) is_complete: bool,
    /// How far the log was read.
    pub(super) until: Position,
}

#[cfg(test)]
impl Position {
    pub(super) fn of(batch: i64) -> Position {
        Position(batch, 1)
    }
}

#[cfg(test)]
impl Event {
    /// One with the id `e1` of the topic `transactions:7`.
    pub(super) fn sample(kind: &str, data: &str) -> Event {
        Event {
            book: Book::MAIN,
            position: Position::of(1),
            id: "e1".to_owned(),
            kind: kind.to_owned(),
            at: "2026-11-20T07:45:04Z".to_owned(),
            topics: vec!["transactions:7".to_owned()],
            data: RawValue::from_string(data.to_owned()).unwrap(),
        }
    }
}
