//! The report of a run: counts and amounts by class, what is open, and a digest over all of it.

use ledger::Book;
use ledger::reconcile::Class;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::r12_carried::Carried;
use crate::events::{self, Event, topic};

/// What a run ended with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Whether nothing is open.
    pub is_clean: bool,
    /// Breaks that are open, those of earlier runs included.
    pub open: i64,
    /// SHA-256 of the report.
    pub digest: [u8; 32],
}

/// Ends a run: counts what it found, writes the report's digest, and says so to followers. `frontier` is the tree's right
/// edge at the run's size, where the log was found sound.
///
/// # Errors
/// When the database fails.
pub async fn finish(
    conn: &mut PgConnection,
    book: Book,
    run: Uuid,
    carried: Carried,
    frontier: Option<&[u8]>,
) -> sqlx::Result<Summary> {
    let classes = classes(conn, book, run).await?;
    let is_sound = Class::ALL
        .into_iter()
        .filter(|class| class.is_of_ledger())
        .all(|class| classes.get(class.as_str()).is_none_or(|of| of["found"].as_i64() == Some(0)));
    let open = open(conn, book).await?;
    let state = if open == 0 { "clean" } else { "breaks" };
    let content = content(conn, book, run, &classes, carried).await?;
    let digest: [u8; 32] = Sha256::digest(content.to_string()).into();
    let ended = sqlx::query!(
        "update reconciliation.run
         set state = $3,
             classes = $4,
             carried = $5,
             gone = $6,
             digest = $7,
             healed = (
                 select count(*)
                 from reconciliation.break_change
                 where shard = $1 and who = 'run ' || $2::text and why like 'repaired: %'
             ),
             verified_size = case when $8 then size else from_size end,
             frontier = case when $8 then $9 else frontier end,
             step = null,
             ended_at = clock_timestamp()
         where shard = $1 and id = $2 and ended_at is null",
        book.shard,
        run,
        state,
        Value::Object(classes),
        carried.carried,
        carried.gone,
        &digest[..],
        is_sound && frontier.is_some(),
        frontier,
    )
    .execute(&mut *conn)
    .await?;
    assert_eq!(ended.rows_affected(), 1, "a run ends once");
    let payload = json!({ "v": 1, "run_id": run, "state": state, "open": open, "digest": hex(&digest) });
    events::publish(conn, book, &[Event::new("ledger.reconciled", [topic::LEDGER.to_owned()], &payload)]).await?;
    Ok(Summary { is_clean: open == 0, open, digest })
}

/// In lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Findings of the run by class: how many, how many new, and amounts by currency as text.
async fn classes(conn: &mut PgConnection, book: Book, run: Uuid) -> sqlx::Result<Map<String, Value>> {
    let rows = sqlx::query!(
        r#"select b.class, b.currency, count(*) as "found!", count(*) filter (where kept.is_new) as "new!",
                  sum(abs(b.amount))::text as amount
           from reconciliation.run_break as kept
           join reconciliation.break as b on b.shard = kept.shard and b.id = kept.break_id
           where kept.shard = $1 and kept.run_id = $2 and b.book = $3 and not kept.is_carried
           group by b.class, b.currency"#,
        book.shard,
        run,
        book.id,
    )
    .fetch_all(conn)
    .await?;
    let mut classes = Map::new();
    for class in Class::ALL {
        let (mut found, mut new, mut amounts) = (0, 0, Map::new());
        for row in rows.iter().filter(|row| row.class == class.as_str()) {
            (found, new) = (found + row.found, new + row.new);
            if let (Some(currency), Some(amount)) = (&row.currency, &row.amount) {
                amounts.insert(currency.clone(), amount.clone().into());
            }
        }
        classes.insert(class.as_str().to_owned(), json!({ "found": found, "new": new, "amounts": amounts }));
    }
    Ok(classes)
}

async fn open(conn: &mut PgConnection, book: Book) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "open!"
           from reconciliation.break
           where shard = $1 and book = $2 and state in ('open', 'assigned')"#,
        book.shard,
        book.id,
    )
    .fetch_one(conn)
    .await
}

/// What the digest is over: everything that the report says, the breaks by a hash of their names, states and amounts.
async fn content(
    conn: &mut PgConnection,
    book: Book,
    run: Uuid,
    classes: &Map<String, Value>,
    carried: Carried,
) -> sqlx::Result<Value> {
    let row = sqlx::query!(
        r#"select run.kind, run.from_size, run.size, run.root, run.scanned, run.left_out, run.snapshots,
                  (
                      select sha256(convert_to(coalesce(string_agg(
                          concat_ws(':', b.id, b.class, b.sub_class, b.state, b.amount), ',' order by b.id
                      ), ''), 'UTF8'))
                      from reconciliation.run_break as kept
                      join reconciliation.break as b on b.shard = kept.shard and b.id = kept.break_id
                      where kept.shard = $1 and kept.run_id = $2
                  ) as "breaks!"
           from reconciliation.run as run
           where run.shard = $1 and run.id = $2"#,
        book.shard,
        run,
    )
    .fetch_one(conn)
    .await?;
    Ok(json!({
        "version": 1,
        "run_id": run,
        "book": book.to_string(),
        "kind": row.kind,
        "from_size": row.from_size,
        "size": row.size,
        "root": row.root.map(|root| hex(&root)),
        "scanned": row.scanned,
        "left_out": row.left_out,
        "snapshots": row.snapshots,
        "classes": classes,
        "carried": carried.carried,
        "gone": carried.gone,
        "breaks": hex(&row.breaks),
    }))
}

/// What is to be measured of a book's breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOfClass {
    /// `R1` to `R12`.
    pub class: String,
    /// ISO 4217; none of breaks without an amount.
    pub currency: Option<String>,
    /// Open breaks.
    pub count: i64,
    /// What they add up to, in minor units.
    pub amount: i64,
    /// The age of the oldest, in seconds.
    pub oldest_seconds: i64,
}

/// The open breaks by class and currency.
///
/// # Errors
/// When the database fails.
pub async fn open_by_class(conn: &mut PgConnection, book: Book) -> sqlx::Result<Vec<OpenOfClass>> {
    sqlx::query_as!(
        OpenOfClass,
        r#"select class, currency, count(*) as "count!",
                  -- A metric has room for no more.
                  least(coalesce(sum(abs(amount)), 0), 9007199254740991)::bigint as "amount!",
                  extract(epoch from clock_timestamp() - min(first_seen_at))::bigint as "oldest_seconds!"
           from reconciliation.break
           where shard = $1 and book = $2 and state in ('open', 'assigned')
           group by class, currency"#,
        book.shard,
        book.id,
    )
    .fetch_all(conn)
    .await
}
