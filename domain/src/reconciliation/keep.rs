//! Keeps what a run found: new breaks, breaks that are there still, and closed ones that came back; and says so.

use std::collections::BTreeMap;

use ledger::Book;
use ledger::reconcile::Found;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Severity;
use crate::events::{self, Event, topic};

/// The columns of the findings, as `unnest` wants them.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    keys: Vec<Vec<u8>>,
    classes: Vec<String>,
    sub_classes: Vec<String>,
    severities: Vec<String>,
    subject_kinds: Vec<String>,
    subjects: Vec<String>,
    amounts: Vec<Option<i64>>,
    currencies: Vec<Option<String>>,
    details: Vec<String>,
}

impl Columns {
    fn push(&mut self, key: [u8; 32], found: &Found) {
        self.ids.push(Uuid::now_v7());
        self.keys.push(key.to_vec());
        self.classes.push(found.class.as_str().to_owned());
        self.sub_classes.push(found.sub_class.to_owned());
        self.severities.push(Severity::least(found).as_str().to_owned());
        self.subject_kinds.push(found.subject_kind.to_owned());
        self.subjects.push(found.subject.clone());
        // What is beyond 64 bits stands in the words.
        self.amounts.push(found.amount.and_then(|amount| i64::try_from(amount).ok()));
        self.currencies.push(found.currency.clone().filter(|_| found.amount.is_some()));
        self.details.push(found.detail.clone());
    }
}

/// What names a break: the same for every run that finds it.
fn key(found: &Found) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [found.class.as_str(), found.sub_class, found.subject_kind, &found.subject] {
        hash.update(u32::try_from(part.len()).expect("names are short").to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// Writes findings of a run, in the caller's transaction; writing them again changes nothing but the time. Returns how many
/// are new, or were closed and are open again.
///
/// # Errors
/// When the database fails.
pub async fn keep(conn: &mut PgConnection, book: Book, run: Uuid, found: &[Found]) -> sqlx::Result<u64> {
    if found.is_empty() {
        return Ok(0);
    }
    // Twice in one statement would be refused by the upsert.
    let by_key: BTreeMap<[u8; 32], &Found> = found.iter().map(|found| (key(found), found)).collect();
    let mut columns = Columns::default();
    by_key.iter().for_each(|(key, found)| columns.push(*key, found));
    let opened = upsert(conn, book, run, &columns).await?;
    note_run(conn, book.shard, run, &columns.keys, book.id, &opened).await?;
    let new: Vec<&Opened> = opened.iter().filter(|opened| opened.is_new).collect();
    let ids: Vec<Uuid> = new.iter().map(|opened| opened.id).collect();
    let states: Vec<Option<String>> = new.iter().map(|opened| opened.state_before.clone()).collect();
    note_opened(conn, book.shard, run, &ids, &states).await?;
    publish(conn, book, run, &new).await?;
    Ok(new.len() as u64)
}

/// A break as the upsert left it.
struct Opened {
    id: Uuid,
    class: String,
    sub_class: String,
    subject: String,
    state_before: Option<String>,
    is_new: bool,
}

async fn upsert(conn: &mut PgConnection, book: Book, run: Uuid, columns: &Columns) -> sqlx::Result<Vec<Opened>> {
    sqlx::query_file_as!(
        Opened,
        "src/reconciliation/keep.sql",
        book.shard,
        book.id,
        run,
        &columns.ids,
        &columns.keys,
        &columns.classes,
        &columns.sub_classes,
        &columns.severities,
        &columns.subject_kinds,
        &columns.subjects,
        &columns.amounts as &[Option<i64>],
        &columns.currencies as &[Option<String>],
        &columns.details,
    )
    .fetch_all(conn)
    .await
}

/// What this run found, for the next one to hold the breaks against.
async fn note_run(
    conn: &mut PgConnection,
    shard: i16,
    run: Uuid,
    keys: &[Vec<u8>],
    book: i32,
    opened: &[Opened],
) -> sqlx::Result<()> {
    let new: Vec<Uuid> = opened.iter().filter(|opened| opened.is_new).map(|opened| opened.id).collect();
    sqlx::query!(
        "insert into reconciliation.run_break as kept (shard, run_id, break_id, is_new, is_carried, amount)
         select b.shard, $2, b.id, b.id = any($4), false, b.amount
         from reconciliation.break as b
         where b.shard = $1 and b.book = $5 and b.key = any($3)
         on conflict (shard, run_id, break_id) do update
         set amount = excluded.amount, is_new = kept.is_new or excluded.is_new",
        shard,
        run,
        keys,
        &new,
        book,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The first line, or another one, in the lives of breaks that are open now and were not.
async fn note_opened(
    conn: &mut PgConnection,
    shard: i16,
    run: Uuid,
    ids: &[Uuid],
    states_before: &[Option<String>],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciliation.break_change (shard, break_id, number, from_state, to_state, who, why)
         select $1, input.id, coalesce(last.number, 0) + 1, input.state, 'open', 'run ' || $4::text,
                case when input.state is null then 'found' else 'found again' end
         from unnest($2::uuid[], $3::text[]) as input (id, state)
         left join lateral (
             select max(number) as number
             from reconciliation.break_change
             where shard = $1 and break_id = input.id
         ) as last on true",
        shard,
        ids,
        states_before as &[Option<String>],
        run.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn publish(conn: &mut PgConnection, book: Book, run: Uuid, new: &[&Opened]) -> sqlx::Result<()> {
    let event = |opened: &&Opened| {
        let payload = json!({
            "v": 1,
            "break_id": opened.id,
            "run_id": run,
            "class": opened.class,
            "sub_class": opened.sub_class,
            "subject": opened.subject,
        });
        Event::new("ledger.break", [topic::LEDGER.to_owned()], &payload)
    };
    events::publish(conn, book, &new.iter().map(event).collect::<Vec<_>>()).await
}
