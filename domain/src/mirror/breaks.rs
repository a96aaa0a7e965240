//! Breaks of R10 that are about a mirror: their sub-classes begin with `mirror_`.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

/// The open break that says that this node lacks something.
///
/// # Errors
/// When the database fails.
pub async fn missing(conn: &mut PgConnection, book: Book, node: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from reconciliation.break
         where shard = $1
           and book = $2
           and class = 'R10'
           and sub_class = 'mirror_missing'
           and subject = $3
           and state in ('open', 'assigned')",
        book.shard,
        book.id,
        node,
    )
    .fetch_optional(conn)
    .await
}

/// Closes the breaks with sub-classes like this that this run, which looked for them, did not find again.
///
/// # Errors
/// When the database fails.
pub async fn close_gone(conn: &mut PgConnection, book: Book, run: Uuid, like: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "with gone as (
             update reconciliation.break as b
             set state = 'resolved', resolution = 'the mirror agrees now', changed_at = now()
             from reconciliation.break as before
             where b.shard = $1
               and b.book = $2
               and b.class = 'R10'
               and b.sub_class like $5
               and b.state in ('open', 'assigned')
               and not exists (
                   select from reconciliation.run_break as k where k.shard = $1 and k.run_id = $3 and k.break_id = b.id
               )
               and before.shard = b.shard
               and before.id = b.id
             returning b.id, before.state
         )
         insert into reconciliation.break_change (shard, break_id, number, from_state, to_state, who, why)
         select $1, gone.id, coalesce(last.number, 0) + 1, gone.state, 'resolved', 'run ' || $4::text,
                'the mirror agrees now'
         from gone
         left join lateral (
             select max(number) as number
             from reconciliation.break_change
             where shard = $1 and break_id = gone.id
         ) as last on true",
        book.shard,
        book.id,
        run,
        run.to_string(),
        like,
    )
    .execute(conn)
    .await?;
    Ok(())
}
