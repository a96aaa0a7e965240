//! R12: the breaks of earlier runs are carried forward, and none ends without a word.

use ledger::Book;
use ledger::reconcile::{Class, Found, Page};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Window;
use super::gone::{Looked, close_gone};

/// The most rows that one run takes.
const FOUND_MAX: i64 = 1_000;

/// Holds the breaks against what the last run left open, and against their own lives. Reads what runs wrote, so it is done
/// where they write.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window) -> sqlx::Result<Page> {
    let mut found = dropped(conn, window.ledger.book).await?;
    found.extend(unexplained(conn, window.ledger.book).await?);
    Ok(Page { scanned: found.len() as u64, found, ..Page::default() })
}

/// Breaks of the last run that are not there any more.
async fn dropped(conn: &mut PgConnection, book: Book) -> sqlx::Result<Vec<Found>> {
    let ids = sqlx::query_scalar!(
        "select kept.break_id
         from reconciliation.run_break as kept
         where kept.shard = $1
           and kept.run_id = (
               select id
               from reconciliation.run
               where shard = $1 and book = $2 and ended_at is not null
               order by ended_at desc
               limit 1
           )
           and not exists (select from reconciliation.break as b where b.shard = $1 and b.id = kept.break_id)
         order by kept.break_id
         limit $3",
        book.shard,
        book.id,
        FOUND_MAX,
    )
    .fetch_all(conn)
    .await?;
    let found = |id: Uuid| {
        let detail = format!("break {id} was open after the last run, and is gone");
        Found::new(Class::R12, "dropped", ("break", id.to_string()), detail)
    };
    Ok(ids.into_iter().map(found).collect())
}

/// Breaks whose state is another than the last change of their lives led to.
async fn unexplained(conn: &mut PgConnection, book: Book) -> sqlx::Result<Vec<Found>> {
    let rows = sqlx::query!(
        r#"select b.id, b.state, last.to_state as "to_state?"
           from reconciliation.break as b
           left join lateral (
               select to_state
               from reconciliation.break_change
               where shard = $1 and break_id = b.id
               order by number desc
               limit 1
           ) as last on true
           where b.shard = $1 and b.book = $2 and b.state is distinct from last.to_state
           order by b.id
           limit $3"#,
        book.shard,
        book.id,
        FOUND_MAX,
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let (id, state, last) = (row.id, row.state, row.to_state.unwrap_or_else(|| "none".to_owned()));
        let detail = format!("break {id} is {state}, and nobody said so: its last change is to {last}");
        Found::new(Class::R12, "unexplained", ("break", id.to_string()), detail)
    });
    Ok(found.collect())
}

/// What became of the open breaks that a run did not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried {
    /// Open still, since this run did not look for them.
    pub carried: i32,
    /// Closed, since a full run looked and they are gone.
    pub gone: i32,
}

/// Carries forward the open breaks that the run did not find. A full run that left nothing out closes those that it looked
/// for, with a word in their lives; what a statement or R12 itself found is for people to close.
///
/// # Errors
/// When the database fails.
pub async fn carry(conn: &mut PgConnection, book: Book, run: Uuid, may_close: bool) -> sqlx::Result<Carried> {
    let gone = if may_close { close_gone(conn, book, run, Looked::AtLedger).await? } else { 0 };
    let carried = sqlx::query!(
        "insert into reconciliation.run_break (shard, run_id, break_id, is_new, is_carried, amount)
         select $1, $3, b.id, false, true, b.amount
         from reconciliation.break as b
         where b.shard = $1 and b.book = $2 and b.state in ('open', 'assigned')
         on conflict (shard, run_id, break_id) do nothing",
        book.shard,
        book.id,
        run,
    )
    .execute(conn)
    .await?;
    let count = |rows: u64| i32::try_from(rows).unwrap_or(i32::MAX);
    Ok(Carried { carried: count(carried.rows_affected()), gone: count(gone) })
}
