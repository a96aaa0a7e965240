//! Takes away, each minute, what nobody needs any more: unique keys whose period is over, places given back of limit keys that nobody
//! claims of, and limit keys that take up nothing.

use sqlx::PgConnection;

/// How many rows of a kind are taken away at once.
const ROWS_MAX: i64 = 1_000;
/// How often that is repeated in a round for places given back: a job with a key of its own leaves one each.
const FOLDS_MAX: usize = 100;
/// How long a limit key has taken up nothing, in seconds, before its row goes: by then any sensible bucket is full.
const IDLE_S: f64 = 3_600.0;

/// Takes places given back off their keys, as a claim of the key would; answers how many rows of them there were.
async fn fold(conn: &mut PgConnection, shard: i16) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        with some_of as (
            select distinct name, key
              from (select name, key from queue.limit_free where shard = $1 limit $2) as free
        ),
        locked as materialized (
            select state.name, state.key
              from some_of
             cross join lateral (
                       select one.name, one.key
                         from queue.limit_key as one
                        where one.shard = $1 and one.name = some_of.name and one.key = some_of.key
                          for no key update skip locked
                   ) as state
        ),
        folded as (
            delete from queue.limit_free
             where ctid = any (array(
                       select free.place
                         from locked
                        cross join lateral (
                                  select one.ctid as place
                                    from queue.limit_free as one
                                   where one.shard = $1 and one.name = locked.name and one.key = locked.key
                                  offset 0
                              ) as free
                   ))
            returning name, key, jobs
        ),
        freed as materialized (
            select name, key, count(*) as rows, sum(jobs)::integer as jobs from folded group by name, key
        ),
        taken_off as (
            update queue.limit_key as state
               set running = state.running - freed.jobs
              from freed
             where state.shard = $1 and state.name = freed.name and state.key = freed.key
        )
        select coalesce(sum(rows), 0)::bigint as "rows!" from freed
        "#,
        shard,
        ROWS_MAX,
    )
    .fetch_one(conn)
    .await
}

/// One round. What somebody else holds is left for the next.
pub(crate) async fn sweep(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    for _ in 0..FOLDS_MAX {
        if fold(conn, shard).await? < ROWS_MAX {
            break;
        }
    }
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
