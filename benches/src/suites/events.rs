//! The event log: rows appended.

use std::time::Instant;

use anyhow::Result;
use domain::events::{Event, publish};
use ledger::Book;
use serde_json::json;
use uuid::Uuid;

use crate::report::Report;
use crate::server::Server;

/// Events in a commit, as a full batch of recorded transactions publishes.
const BATCH: usize = 1_000;

/// Adds `events.append_1000`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let batches = if quick { 30 } else { 200 };
    let server = Server::start().await?;
    let pool = server.pool(1).await?;
    server.settle().await?;
    let events: Vec<Event> = (0..BATCH).map(|_| event()).collect();
    let mut started = Instant::now();
    for batch in 0..=batches {
        let mut tx = pool.begin().await?;
        publish(&mut tx, Book::MAIN, &events).await?;
        tx.commit().await?;
        if batch == 0 {
            // The first batch prepares the statement.
            started = Instant::now();
        }
    }
    report.add("events.append_1000", (batches * BATCH) as f64 / started.elapsed().as_secs_f64(), "rows/s");
    Ok(())
}

/// Of the size that a recorded transaction publishes.
fn event() -> Event {
    let [id, from, to] = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
    let payload = json!({"transaction_id": id, "from": from, "to": to, "amount_minor": 1, "currency": "GBP", "seq": 1});
    Event::new("transaction.recorded", [format!("transactions:{id}")], &payload)
}
