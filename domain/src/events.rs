//! Events: facts for followers, written in the transaction that they tell of.

use ledger::Book;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Whom it is for, such as `user:<id>` or `ledger`.
    pub topic: String,
    /// What happened, such as `transaction.recorded`.
    pub kind: &'static str,
    /// The facts.
    pub payload: Value,
}

/// Appends events to the book's log, in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn publish(conn: &mut PgConnection, book: Book, events: &[Event]) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = events.iter().map(|_| Uuid::now_v7()).collect();
    let topics: Vec<String> = events.iter().map(|event| event.topic.clone()).collect();
    let kinds: Vec<String> = events.iter().map(|event| event.kind.to_owned()).collect();
    let payloads: Vec<Value> = events.iter().map(|event| event.payload.clone()).collect();
    let written = sqlx::query!(
        "insert into app.event (shard, book_id, id, topic, kind, payload)
         select $1, $2, event.id, event.topic, event.kind, event.payload
         from unnest($3::uuid[], $4::text[], $5::text[], $6::jsonb[]) as event (id, topic, kind, payload)",
        book.shard,
        book.id,
        &ids,
        &topics,
        &kinds,
        &payloads,
    )
    .execute(conn)
    .await?
    .rows_affected();
    assert_eq!(written, events.len() as u64, "an insert without a filter writes every row");
    Ok(())
}
