//! R10: statements of others say the same: each that is due is matched, and what does not agree is a break.

use ledger::reconcile::{Page, Place};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Window, keep, statements};

/// What one statement came to.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Its breaks are written already: they end, too, when the statement agrees.
    pub page: Page,
    /// Breaks beyond the most that are kept.
    pub left_out: u64,
}

/// Matches the next statement that is due, and writes what it came to, all in the caller's transaction.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, window: &Window, run: Uuid, place: Option<Place>) -> sqlx::Result<Done> {
    let after = match place {
        None => Uuid::nil(),
        Some(Place::Id(id)) => id,
        Some(other) => unreachable!("statements are gone on with after one of them, not at {other:?}"),
    };
    let scope = &window.ledger;
    let Some(id) = statements::due(conn, scope.book, after, scope.is_full).await? else {
        return Ok(Done::default());
    };
    let matched = statements::match_statement(conn, scope.book, id).await?;
    keep::keep(conn, scope.book, run, &matched.found).await?;
    if matched.left_out == 0 {
        close_gone(conn, window, run, id).await?;
    }
    let page = Page { scanned: matched.scanned, next: Some(Place::Id(id)), ..Page::default() };
    Ok(Done { page, left_out: matched.left_out })
}

/// Closes the breaks of a statement that this run did not find again.
async fn close_gone(conn: &mut PgConnection, window: &Window, run: Uuid, statement: Uuid) -> sqlx::Result<()> {
    sqlx::query!(
        "with gone as (
             update reconciliation.break as b
             set state = 'resolved', resolution = 'the statement agrees now', changed_at = now()
             from reconciliation.break as before
             where b.shard = $1
               and b.book = $2
               and b.class = 'R10'
               and split_part(b.subject, '/', 1) = $4
               and b.state in ('open', 'assigned')
               and not exists (
                   select from reconciliation.run_break as k where k.shard = $1 and k.run_id = $3 and k.break_id = b.id
               )
               and before.shard = b.shard
               and before.id = b.id
             returning b.id, before.state
         )
         insert into reconciliation.break_change (shard, break_id, number, from_state, to_state, who, why)
         select $1, gone.id, coalesce(last.number, 0) + 1, gone.state, 'resolved', 'run ' || $5::text,
                'the statement agrees now'
         from gone
         left join lateral (
             select max(number) as number
             from reconciliation.break_change
             where shard = $1 and break_id = gone.id
         ) as last on true",
        window.ledger.book.shard,
        window.ledger.book.id,
        run,
        statement.to_string(),
        run.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
