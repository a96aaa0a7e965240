//! Takes away, each minute, what nobody needs any more: unique keys whose period is over, and limit keys that take up nothing.

use sqlx::PgConnection;

/// How many rows of a kind are taken away at once.
const ROWS_MAX: i64 = 1_000;
/// How long a limit key has taken up nothing, in seconds, before its row goes: by then any sensible bucket is full.
const IDLE_S: f64 = 3_600.0;

/// One round. What somebody else holds is left for the next.
pub(crate) async fn sweep(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with over as (
            delete from queue.unique_hold
             where ctid = any (array(
                       select ctid
                         from queue.unique_hold
                        where shard = $1 and until < statement_timestamp()
                        order by until
                        limit $2
                          for update skip locked
                   ))
        )
        delete from queue.limit_key
         where ctid = any (array(
                   select state.ctid
                     from queue.limit_key as state
                     left join queue.limit_rule as rule on rule.name = state.name
                    where state.shard = $1
                      and state.running = 0
                      and state.refilled_at < statement_timestamp() - make_interval(secs => $3)
                      -- A bucket that fills more slowly than that is not forgotten before it is full.
                      and (
                              rule.rate_per_s is null
                              or state.tokens is null
                              or state.tokens + rule.rate_per_s
                                     * extract(epoch from statement_timestamp() - state.refilled_at)::float8 >= rule.burst
                          )
                    limit $2
                      for update of state skip locked
               ))
        "#,
        shard,
        ROWS_MAX,
        IDLE_S,
    )
    .execute(conn)
    .await?;
    Ok(())
}
