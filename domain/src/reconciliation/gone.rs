//! Ends the breaks that a run looked for and did not find again.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

/// Where the run looked, all of it.
#[derive(Debug, Clone, Copy)]
pub enum Looked<'a> {
    /// At the ledger: for every class but R10, which is about books of others, and R12, whose breaks people close.
    AtLedger,
    /// At this statement.
    AtStatement(Uuid),
    /// At the mirror, for breaks whose sub-class is like this (SQL's `like`).
    AtMirror(&'a str),
}

/// Resolves the open breaks of that kind that this run has not found, with a word in their lives; answers how many.
///
/// # Errors
/// When the database fails.
pub async fn close_gone(conn: &mut PgConnection, book: Book, run: Uuid, looked: Looked<'_>) -> sqlx::Result<u64> {
    let (why, statement, like) = match looked {
        Looked::AtLedger => ("a full run found it no more", None, None),
        Looked::AtStatement(id) => ("the statement agrees now", Some(id.to_string()), None),
        Looked::AtMirror(like) => ("the mirror agrees now", None, Some(like)),
    };
    let closed = sqlx::query!(
        "with gone as (
             update reconciliation.break as b
             set state = 'resolved', resolution = $4, changed_at = now()
             from reconciliation.break as before
             where b.shard = $1
               and b.book = $2
               and case when $5 then b.class not in ('R10', 'R12') else b.class = 'R10' end
               and ($6::text is null or split_part(b.subject, '/', 1) = $6)
               and ($7::text is null or b.sub_class like $7)
               and b.state in ('open', 'assigned')
               and not exists (
                   select from reconciliation.run_break as k where k.shard = $1 and k.run_id = $3 and k.break_id = b.id
               )
               and before.shard = b.shard
               and before.id = b.id
             returning b.id, before.state
         )
         insert into reconciliation.break_change (shard, break_id, number, from_state, to_state, who, why)
         select $1, gone.id, coalesce(last.number, 0) + 1, gone.state, 'resolved', 'run ' || $3::uuid, $4
         from gone
         left join lateral (
             select max(number) as number
             from reconciliation.break_change
             where shard = $1 and break_id = gone.id
         ) as last on true",
        book.shard,
        book.id,
        run,
        why,
        matches!(looked, Looked::AtLedger),
        statement,
        like,
    );
    Ok(closed.execute(conn).await?.rows_affected())
}
