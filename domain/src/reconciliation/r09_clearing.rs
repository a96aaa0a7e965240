//! R9: clearing accounts net to nothing for each correlation id, once its time to settle is over.
//!
//! A transaction's correlation id is its reference up to its last `/` (`pay-17/in` and `pay-17/out` belong together); that
//! of a reversal without one is its original's; without either a transaction stands alone.

use ledger::reconcile::{Class, Found, Page};
use ledger::{AccountId, Book};
use sqlx::PgConnection;

use super::Window;

/// The most rows that one run takes.
const FOUND_MAX: i64 = 1_000;
/// An incremental run leaves accounts with more entries than these to the full one.
const ENTRIES_MAX: i64 = 100_000;

/// Does the whole check.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window) -> sqlx::Result<Page> {
    let scope = &window.ledger;
    let rows = sqlx::query!(
        r#"select c.account_id, a.currency, moved.correlation as "correlation!", sum(e.amount)::text as "open!"
           from reconciliation.clearing_account as c
           join ledger.account as a on a.shard = c.shard and a.book = c.book and a.id = c.account_id
           join ledger.entry as e on e.shard = c.shard and e.book = c.book and e.account_id = c.account_id
           join ledger.transaction as t on t.shard = e.shard and t.book = e.book and t.seq = e.seq
           left join app.transaction as r on r.shard = t.shard and r.id = t.id
           left join app.transaction as o on o.shard = r.shard and o.id = r.reverses
           cross join lateral (
               select coalesce(
                   regexp_replace(r.reference, '/[^/]*$', ''),
                   regexp_replace(o.reference, '/[^/]*$', ''),
                   o.id::text,
                   t.id::text
               ) as correlation
           ) as moved
           where c.shard = $1
             and c.book = $2
             and e.seq < $3
             and ($4 or a.version <= $5)
           group by c.account_id, a.currency, moved.correlation, c.settles_within
           having sum(e.amount) <> 0 and max(t.recorded_at) < clock_timestamp() - c.settles_within
           order by c.account_id, moved.correlation
           limit $6"#,
        scope.book.shard,
        scope.book.id,
        scope.size,
        scope.is_full,
        ENTRIES_MAX,
        FOUND_MAX,
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let detail = format!("clearing account {} keeps {} of {}", row.account_id, row.open, row.correlation);
        let subject = ("correlation", format!("{}/{}", row.account_id, row.correlation));
        let open = row.open.parse().expect("a sum of whole numbers is one");
        Found::new(Class::R9, "not_cleared", subject, detail).amount(open, row.currency)
    });
    let found: Vec<Found> = found.collect();
    Ok(Page { scanned: found.len() as u64, found, ..Page::default() })
}

/// Declares that money only passes through an account, and for how long it may stay.
///
/// # Errors
/// When the database fails.
pub async fn declare(conn: &mut PgConnection, book: Book, account: AccountId, seconds: i32) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into reconciliation.clearing_account (shard, book, account_id, settles_within)
         values ($1, $2, $3, make_interval(secs => $4::integer))
         on conflict (shard, book, account_id) do update set settles_within = excluded.settles_within",
        book.shard,
        book.id,
        account.0,
        seconds,
    )
    .execute(conn)
    .await?;
    Ok(())
}
