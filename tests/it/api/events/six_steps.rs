//! The flow of SYSTEM.md S4: POST, saved with its job in one commit, recorded in the ledger, event in the same commit, push to the client,
//! by server-sent events and by a channel of Phoenix; with the time of each step.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::kit::{begun, token};
use crate::api::transactions::kit::{Customer, Stage, TRANSACTIONS, transfer};
use crate::realtime::kit::{Client, connect};

/// How many transactions, one after the other.
const RUNS: usize = 40;

/// The steps of one transaction, each in milliseconds after the one before.
struct Steps([f64; 6]);

const NAMES: [&str; 6] = [
    "1 POST to saved, with its job",
    "2 saved to answered (202)",
    "3 saved to recorded",
    "4 recorded to event published",
    "5 event published to pushed (SSE)",
    "6 event published to channel push",
];

fn ms(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).num_microseconds().unwrap() as f64 / 1_000.0
}

/// What the database says of a transaction's way: when its request, its record and its event were written.
async fn way(pool: &PgPool, id: Uuid) -> (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>) {
    let same_commit: bool = sqlx::query_scalar(
        "select leaf.xmin::text::bigint = (event.xid::text::bigint & 4294967295)
         from ledger.transaction as leaf
         join app.event as event on event.topic = 'transactions:' || $1::text and event.kind = 'transaction.recorded'
         where leaf.id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(same_commit, "the event is in the commit of what it tells");
    sqlx::query_as(
        "select accepted.at, app.transaction.recorded_at, recorded.at
         from app.transaction
         join app.event as accepted
           on accepted.topic = 'transactions:' || $1::text and accepted.kind = 'transaction.accepted'
         join app.event as recorded
           on recorded.topic = 'transactions:' || $1::text and recorded.kind = 'transaction.recorded'
         where app.transaction.id = $1",
    )
    .bind(id)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Those who are told of it.
struct Followers {
    stream: tests::sse::Sse,
    channel: Client,
}

/// When the stream has told of both events of this transaction.
async fn streamed(stream: &mut tests::sse::Sse, id: &str, began: Instant) -> Duration {
    let mut pushed: HashMap<String, Duration> = HashMap::new();
    while !pushed.contains_key("transaction.recorded") {
        let sent = tokio::time::timeout(Duration::from_secs(60), stream.next())
            .await
            .expect("a push")
            .expect("the stream goes on");
        let payload: Value = serde_json::from_str(&sent.data).unwrap();
        if payload["transaction_id"] == id {
            pushed.insert(sent.event, began.elapsed());
        }
    }
    assert!(pushed["transaction.accepted"] <= pushed["transaction.recorded"]);
    pushed["transaction.recorded"]
}

/// When the channel has told of its record.
async fn told(channel: &mut Client, id: &str, began: Instant) -> Duration {
    while channel.next_of("transaction.recorded").await[4]["data"]["transaction_id"] != id {}
    began.elapsed()
}

#[expect(clippy::disallowed_methods, reason = "both clocks are this machine's")]
async fn one(stage: &Stage, followers: &mut Followers, ada: &Customer, bob: &Customer) -> Steps {
    let (began, began_at) = (Instant::now(), Utc::now());
    let accepted = ada.caller.post(TRANSACTIONS, &transfer(ada, bob, "0.01")).await;
    let answered = began.elapsed();
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    let Followers { stream, channel } = followers;
    let (streamed, told) = tokio::join!(streamed(stream, &id, began), told(channel, &id, began));
    let (saved, recorded, published) = way(&stage.api.pool, id.parse().unwrap()).await;
    let since = |at| ms(began_at, at);
    let answered = answered.as_secs_f64() * 1_000.0;
    Steps([
        since(saved),
        answered - since(saved),
        ms(saved, recorded),
        ms(recorded, published),
        streamed.as_secs_f64() * 1_000.0 - since(published),
        told.as_secs_f64() * 1_000.0 - since(published),
    ])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn s4_the_six_steps_of_a_transaction_from_post_to_push() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let token = token(&stage.api, &ada.person.principal).await;
    let mut channel = connect(stage.api.address, &format!("token={token}&vsn=2.0.0"), &[]).await.unwrap();
    channel.joined(&format!("transactions:{}", ada.person.principal.user_id)).await;
    let mut followers = Followers { stream: begun(&stage.api, &token, "").await, channel };
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(one(&stage, &mut followers, &ada, &bob).await);
    }
    for (index, name) in NAMES.iter().enumerate() {
        let mut times: Vec<f64> = runs.iter().map(|run| run.0[index]).collect();
        times.sort_by(f64::total_cmp);
        println!("{name:34} p50 {:7.2} ms   p99 {:7.2} ms", times[times.len() / 2], times[times.len() * 99 / 100]);
        assert!(times.iter().all(|time| *time > -5.0), "{name}: a step does not end before it begins");
    }
}
