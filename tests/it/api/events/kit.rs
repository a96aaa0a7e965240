//! Streams of an API, and events written beside it.

use domain::Principal;
use domain::access::keys;
use domain::events::{Event, publish};
use ledger::Book;
use reqwest::{Client, StatusCode};
use serde_json::json;
use sqlx::PgPool;
use tests::sse::{Sent, Sse};

use crate::api::harness::Api;

pub(super) const EVENTS: &str = "/api/v1/events";

/// A token of this user.
pub(super) async fn token(api: &Api, of: &Principal) -> String {
    let mut conn = api.pool.acquire().await.unwrap();
    keys::create(&mut conn, 0, of.user_id, "test").await.unwrap().reveal().to_owned()
}

/// A stream, or how it was refused.
pub(super) async fn open(
    api: &Api,
    token: &str,
    query: &str,
    last_id: Option<&str>,
) -> Result<Sse, (StatusCode, String)> {
    let url = format!("http://{}{EVENTS}{query}", api.address);
    Sse::open(&Client::new(), &url, token, last_id).await
}

/// A stream that has begun.
pub(super) async fn begun(api: &Api, token: &str, query: &str) -> Sse {
    let mut stream = open(api, token, query, None).await.unwrap();
    stream.begun().await;
    stream
}

/// Publishes one event for each of these names, all in one commit.
pub(super) async fn write(pool: &PgPool, topics: &[&str], names: impl IntoIterator<Item = String>) {
    let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let event = |name: String| Event::new("test.written", topics.clone(), &json!({ "name": name }));
    let events: Vec<Event> = names.into_iter().map(event).collect();
    let mut tx = pool.begin().await.unwrap();
    publish(&mut tx, Book::MAIN, &events).await.unwrap();
    tx.commit().await.unwrap();
}

pub(super) fn name(sent: &Sent) -> String {
    let payload: serde_json::Value = serde_json::from_str(&sent.data).unwrap();
    payload["name"].as_str().unwrap().to_owned()
}

/// The next so many names.
pub(super) async fn names(stream: &mut Sse, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < count {
        names.push(name(&stream.next().await.expect("the stream goes on")));
    }
    names
}
