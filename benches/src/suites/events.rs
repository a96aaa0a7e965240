//! The event log: rows appended, and how long after its commit an event is pushed.

mod mirror;
mod push;

use std::time::Instant;

use anyhow::Result;
use domain::events::{Event, publish};
use ledger::Book;
use serde_json::json;
use uuid::Uuid;

use crate::report::Report;
use crate::server::Server;
use crate::wal;

/// Events in a commit, as a full batch of recorded transactions publishes.
const BATCH: usize = 1_000;

/// Adds `events.append_1000`, `events.wal_bytes`, `events.push_p50_ms` with `events.push_p99_ms`, and `events.mirror`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    append(quick, report).await?;
    push::run(quick, report).await?;
    mirror::run(quick, report).await
}

async fn append(quick: bool, report: &mut Report) -> Result<()> {
    let batches = if quick { 30 } else { 200 };
    let server = Server::start().await?;
    let pool = server.pool(1).await?;
    server.settle().await?;
    let events: Vec<Event> = (0..BATCH).map(|_| event()).collect();
    let (mut started, mut place) = (Instant::now(), wal::place(&pool).await?);
    for batch in 0..=batches {
        let mut tx = pool.begin().await?;
        publish(&mut tx, Book::MAIN, &events).await?;
        tx.commit().await?;
        if batch == 0 {
            // The first batch prepares the statement.
            (started, place) = (Instant::now(), wal::place(&pool).await?);
        }
    }
    let published = (batches * BATCH) as f64;
    report.add("events.append_1000", published / started.elapsed().as_secs_f64(), "rows/s");
    report.add("events.wal_bytes", wal::bytes_since(&pool, &place).await? / published, "bytes/event");
    Ok(())
}

/// Of the size that a recorded transaction publishes.
fn event() -> Event {
    let [id, from, to] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    let amount = json!({"amount": "12.50", "currency": "GBP"});
    let payload = json!({
        "v": 1, "transaction_id": id, "type": "transfer", "status": "recorded", "from": from, "to": to, "amount": amount, "legs": [],
        "reverses": null, "resolves": null, "seq": 1, "recorded_at": "2026-01-01T00:00:00.000000Z", "reason": null,
    });
    let topics = [format!("transactions:{id}"), format!("user:{from}"), format!("user:{to}")];
    Event::new("transaction.recorded", topics, &payload)
}
