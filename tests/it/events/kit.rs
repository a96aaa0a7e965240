//! Writers that note when they committed, and followers of the log by themselves.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use domain::events::log::{self, LoggedEvent, Most, Which};
use domain::events::{Event, Position, publish};
use ledger::Book;
use serde_json::json;
use sqlx::PgPool;

/// What one writer committed, and when.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Which event it is.
    pub(super) name: String,
    /// Before its commit was asked for.
    pub(super) began: Instant,
    /// After its commit was answered.
    pub(super) ended: Instant,
    /// Its number among those that waited for the same lock, if it did.
    pub(super) turn: Option<i64>,
}

/// An event of a test.
pub(super) fn event(name: &str, topics: &[&str]) -> Event {
    let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    Event::new("test.written", topics, &json!({ "name": name }))
}

/// Publishes and commits.
pub(super) async fn write(pool: &PgPool, names: &[&str], topics: &[&str]) {
    let events: Vec<Event> = names.iter().map(|name| event(name, topics)).collect();
    let mut tx = pool.begin().await.unwrap();
    publish(&mut tx, Book::MAIN, &events).await.unwrap();
    tx.commit().await.unwrap();
}

/// The name that an event was given.
pub(super) fn name(payload: &str) -> String {
    let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
    payload["name"].as_str().unwrap().to_owned()
}

/// Names of events, in their order.
pub(super) fn names(events: &[LoggedEvent]) -> Vec<String> {
    events.iter().map(|event| name(&event.payload)).collect()
}

/// Everything after a position, a little at a time.
pub(super) async fn read_on(pool: &PgPool, mut after: Position, most: Most) -> (Vec<LoggedEvent>, Position) {
    let mut events = Vec::new();
    let last = log::number(pool, 0).await.unwrap();
    while after < Position::end_of(last) {
        let which = Which { until: Some(last), ..Which::default() };
        let page = log::read(&mut pool.acquire().await.unwrap(), 0, after, which, most).await.unwrap();
        let Some(through) = page.through else { break };
        events.extend(page.events);
        after = through;
    }
    (events, after)
}

/// A page that holds much.
pub(super) const MUCH: Most = Most { commits: 1_000, events: 10_000 };

/// That `seen` has everything that was written once, and in an order that agrees with what could be told of the commits: what was
/// answered before another commit was asked for comes first, and so does who had the lock first.
pub(super) fn check_order(seen: &[String], written: &[Written]) {
    let by_name: HashMap<&str, &Written> = written.iter().map(|one| (one.name.as_str(), one)).collect();
    assert_eq!(seen.len(), written.len(), "as many were seen as were written");
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len(), "an event was seen twice");
    let (mut latest, mut turn): (Option<&Written>, _) = (None, 0);
    for name in seen {
        let one = by_name.get(name.as_str()).unwrap_or_else(|| panic!("{name} was not written"));
        if let Some(before) = latest {
            assert!(one.ended >= before.began, "{name} was committed before {}", before.name);
        }
        latest = latest.filter(|before| before.began >= one.began).or(Some(one));
        if let Some(own) = one.turn {
            assert!(turn < own, "{name} had the lock before one that it comes after");
            turn = own;
        }
    }
}
