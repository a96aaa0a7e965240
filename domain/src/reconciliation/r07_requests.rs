//! R7: each request has one outcome, and each recorded transaction of a kind of ours has its request.
//!
//! A request that is pending is right as long as its job lives. Jobs are not known here: [`Pending`] goes to whoever knows.

use chrono::{DateTime, Utc};
use ledger::reconcile::{Class, Found, Page, Place};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Window;
use crate::transactions::Kind;

/// Leaves in a page.
const LEAVES: i64 = 32_768;
/// Requests in a page.
const REQUESTS: i64 = 8_192;
/// The most rows that are taken from one page.
const FOUND_MAX: i64 = 1_000;

/// A request without an outcome, by the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its name, and its job's.
    pub id: Uuid,
    /// Whether the ledger has it all the same.
    pub is_recorded: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// For how many seconds it has been pending.
    pub age_seconds: i64,
    /// In minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Does one page: first through the leaves of the window, then through the requests.
///
/// # Errors
/// When the database fails.
pub async fn page(
    conn: &mut PgConnection,
    window: &Window,
    place: Option<Place>,
) -> sqlx::Result<(Page, Vec<Pending>)> {
    match place {
        None => leaves(conn, window, window.ledger.from).await.map(|page| (page, Vec::new())),
        Some(Place::Seq(seq)) => leaves(conn, window, seq).await.map(|page| (page, Vec::new())),
        Some(Place::Id(after)) => requests(conn, window, after).await,
        Some(other) => unreachable!("requests are gone on with at a leaf or a request, not at {other:?}"),
    }
}

/// Recorded transactions of a kind of ours that nobody asked for. What has another code was posted by somebody else, and an
/// expiry by the ledger's own job.
async fn leaves(conn: &mut PgConnection, window: &Window, start: i64) -> sqlx::Result<Page> {
    let scope = &window.ledger;
    let stop = scope.size.min(start + LEAVES);
    let codes: Vec<i32> = Kind::ALL.iter().map(|kind| i32::from(kind.code())).collect();
    let rows = sqlx::query!(
        "select t.id, t.seq
         from ledger.transaction as t
         where t.shard = $1
           and t.book = $2
           and t.seq >= $3
           and t.seq < $4
           -- The leaf's code is its bytes 49 and 50, its kind byte 4.
           and length(t.leaf) > 50
           and get_byte(t.leaf, 4) in (1, 2, 3, 4, 7)
           and get_byte(t.leaf, 49) * 256 + get_byte(t.leaf, 50) = any($5)
           and not exists (select from app.transaction as r where r.shard = t.shard and r.id = t.id)
         order by t.seq
         limit $6",
        scope.book.shard,
        scope.book.id,
        start,
        stop,
        &codes,
        FOUND_MAX,
    )
    .fetch_all(conn)
    .await?;
    let found = |id: Uuid, seq: i64| {
        let detail = format!("transaction {id} of leaf {seq} was recorded, and nobody asked for it");
        Found::new(Class::R7, "request_missing", ("transaction", id.to_string()), detail)
    };
    let next = if stop < scope.size { Place::Seq(stop) } else { Place::Id(before(window.first_id())) };
    let scanned = u64::try_from(stop - start).expect("a page goes forward");
    let found = rows.into_iter().map(|row| found(row.id, row.seq)).collect();
    Ok(Page { found, scanned, next: Some(next), frontier: None })
}

/// The id just before this one.
fn before(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().saturating_sub(1))
}

/// A request beside what the ledger has under its id.
struct Row {
    id: Uuid,
    status: String,
    reason: Option<String>,
    amount: i64,
    currency: String,
    created_at: DateTime<Utc>,
    age_seconds: i64,
    seq: Option<i64>,
    ledger_seq: Option<i64>,
    refusal: Option<String>,
}

async fn requests(conn: &mut PgConnection, window: &Window, after: Uuid) -> sqlx::Result<(Page, Vec<Pending>)> {
    let rows = rows(conn, window, after).await?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == REQUESTS);
    let next = rows.last().filter(|_| is_full).map(|last| Place::Id(last.id));
    let found = rows.iter().filter_map(disagreement).collect();
    let scanned = rows.len() as u64;
    let pending = rows.into_iter().filter(|row| row.status == "pending").map(|row| Pending {
        id: row.id,
        is_recorded: row.ledger_seq.is_some(),
        created_at: row.created_at,
        age_seconds: row.age_seconds,
        amount: row.amount,
        currency: row.currency,
    });
    Ok((Page { found, scanned, next, frontier: None }, pending.collect()))
}

async fn rows(conn: &mut PgConnection, window: &Window, after: Uuid) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select r.id, r.status, r.reason, r.amount, r.currency, r.created_at,
                  extract(epoch from clock_timestamp() - r.created_at)::bigint as "age_seconds!",
                  r.seq, t.seq as "ledger_seq?", f.reason as "refusal?"
           from (
               select *
               from app.transaction
               where shard = $1 and id > $3
               order by id
               limit $4
           ) as r
           left join lateral (
               select seq
               from ledger.transaction
               where shard = $1 and id = r.id and book = $2
               offset 0
           ) as t on true
           left join lateral (
               select reason
               from ledger.refusal
               where shard = $1 and book = $2 and id = r.id
               offset 0
           ) as f on true
           where r.book_id = $2
           order by r.id"#,
        window.ledger.book.shard,
        window.ledger.book.id,
        after,
        REQUESTS,
    )
    .fetch_all(conn)
    .await
}

/// What a request's outcome and the ledger do not agree on; what is pending is not decided here.
fn disagreement(row: &Row) -> Option<Found> {
    let (sub_class, problem) = match (row.status.as_str(), row.ledger_seq) {
        ("recorded", None) => ("not_recorded", "is told to be recorded, and the ledger has it not".to_owned()),
        ("recorded", Some(seq)) if row.seq != Some(seq) => {
            ("elsewhere", format!("is told to be at {:?}, and is leaf {seq}", row.seq))
        }
        ("rejected", Some(seq)) => ("recorded_though_rejected", format!("is told to be rejected, and is leaf {seq}")),
        ("rejected", None) if refusal_is_due(row) && row.refusal.is_none() => {
            ("refusal_missing", "is told to be rejected, and the ledger has no refusal of it".to_owned())
        }
        _ => return None,
    };
    let detail = format!("request {} {problem}", row.id);
    let found = Found::new(Class::R7, sub_class, ("transaction", row.id.to_string()), detail);
    Some(found.amount(row.amount.into(), row.currency.clone()))
}

/// Whether the ledger itself refused it: then it keeps the refusal. Other reasons are found before or beside it.
fn refusal_is_due(row: &Row) -> bool {
    let is_found_before = |reason: &str| matches!(reason, "original_rejected" | "hold_rejected");
    row.reason.as_deref().is_some_and(|reason| !reason.starts_with("exists_with") && !is_found_before(reason))
}
