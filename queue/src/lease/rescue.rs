//! Takes jobs from processes that are gone.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::metrics::RESCUED;
use crate::notify::CHANNEL;
use crate::settle::PLANNER;

/// A job that was begun in this many processes that died is poison.
const CRASHES_MAX: i32 = 3;

/// What became of the jobs of lost processes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rescued {
    /// Jobs that are ready again.
    pub ready: u64,
    /// Jobs that had been begun in three processes that died, and went to the dead letters.
    pub poison: u64,
}

/// Why jobs are taken from a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It died, or was silent for too long: its jobs are suspects.
    Crash,
    /// It says itself that it will not run them: nothing counts against them.
    Handover,
}

/// Declares lost each process whose lease has run out, and makes its jobs ready. Any process may do this at any time;
/// what somebody else is at work on is left for the next time.
///
/// # Errors
/// When the database fails; nothing has been taken then, or all of some processes.
pub async fn rescue_expired(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Rescued> {
    shorten_to_the_clock(conn, shard).await?;
    let lost = sqlx::query_scalar!(
        r#"
        with declared as (
            update queue.process
               set lost_at = clock_timestamp()
             where shard = $1
               and id = any (array(
                       select id
                         from queue.process
                        where shard = $1 and lost_at is null and expires_at < clock_timestamp()
                        order by id
                        -- Waits for no claim: one that is under way holds a key lock on the row.
                          for update skip locked
                   ))
            returning id
        )
        select id as "id!" from declared
         union
        select id from queue.process where shard = $1 and lost_at is not null
        "#,
        shard,
    );
    let lost = lost.fetch_all(&mut *conn).await?;
    take_all(conn, shard, &lost, Cause::Crash).await
}

/// Lets the leases that were renewed at a time which is yet to come run from now on: the database's clock has been put
/// back since. Whoever lives renews it anyway; of whoever died before that, it would run for as long as the clock went back.
async fn shorten_to_the_clock(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update queue.process
           set heartbeat_at = clock_timestamp(), expires_at = clock_timestamp() + (expires_at - heartbeat_at)
         where shard = $1
           and id = any (array(
                   select id
                     from queue.process
                    where shard = $1 and lost_at is null and heartbeat_at > clock_timestamp() + interval '1 second'
                    order by id
                      for update skip locked
               ))
        "#,
        shard,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the jobs of one process that is known to be dead, without waiting for its lease to run out: a supervisor calls
/// this when its child has ended. A process that still lives is fenced off by it.
///
/// # Errors
/// As [`rescue_expired`].
pub async fn release(conn: &mut PgConnection, shard: i16, process: Uuid) -> sqlx::Result<Rescued> {
    // Waits for a claim that is under way, and keeps the next one from happening.
    sqlx::query!(
        r#"
        update queue.process
           set lost_at = clock_timestamp()
         where shard = $1
           and id = any (array(
                   select id from queue.process where shard = $1 and id = $2 and lost_at is null for update
               ))
        "#,
        shard,
        process,
    )
    .execute(&mut *conn)
    .await?;
    take_all(conn, shard, &[process], Cause::Crash).await
}

/// Gives up this process's own lease; jobs that it still holds become ready again, and nothing counts against them.
pub(crate) async fn hand_back(conn: &mut PgConnection, shard: i16, process: Uuid) -> sqlx::Result<Rescued> {
    take_all(conn, shard, &[process], Cause::Handover).await
}

async fn take_all(conn: &mut PgConnection, shard: i16, processes: &[Uuid], cause: Cause) -> sqlx::Result<Rescued> {
    let mut rescued = Rescued::default();
    for process in processes {
        let mut tx = conn.begin().await?;
        let held = held_since(&mut tx, shard, *process, None).await?;
        let taken = take(&mut tx, shard, *process, &held, cause).await?;
        // What another transaction has locked (that of a job which is being settled) is looked at again next time.
        if taken.ready + taken.poison == held.len() as u64 {
            sqlx::query!("delete from queue.cancel_request where shard = $1 and process = $2", shard, process)
                .execute(&mut *tx)
                .await?;
            sqlx::query!("delete from queue.process where shard = $1 and id = $2", shard, process)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        rescued.ready += taken.ready;
        rescued.poison += taken.poison;
        if cause == Cause::Crash && taken != Rescued::default() {
            tracing::warn!(%process, ready = taken.ready, poison = taken.poison, "took the jobs of a lost process");
        }
    }
    if cause == Cause::Crash {
        metrics::counter!(RESCUED.name, "outcome" => "ready").increment(rescued.ready);
        metrics::counter!(RESCUED.name, "outcome" => "poison").increment(rescued.poison);
    }
    Ok(rescued)
}

/// Hands back what this process claimed after `last`: a claim whose answer never arrived may have been made. Returns
/// whether that was all of it: what somebody else has locked is left for the next time.
pub(crate) async fn take_back_since(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    last: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    let mut tx = conn.begin().await?;
    // Waits until the server has ended the claim, whichever way: it holds a key lock on this row.
    sqlx::query!("select id from queue.process where shard = $1 and id = $2 for update", shard, process)
        .fetch_optional(&mut *tx)
        .await?;
    let held = held_since(&mut tx, shard, process, last).await?;
    let taken = take(&mut tx, shard, process, &held, Cause::Handover).await?;
    tx.commit().await?;
    Ok(taken.ready == held.len() as u64)
}

/// The jobs that a process holds, or those that it claimed after a time. No index leads to them: one would cost each
/// claim more than a scan of the live jobs costs each crash.
async fn held_since(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    since: Option<DateTime<Utc>>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::raw_sql("set local enable_seqscan = on").execute(&mut *conn).await?;
    sqlx::query_scalar!(
        r#"
        select id
          from queue.job
         where shard = $1 and owner = $2 and ($3::timestamptz is null or claimed_at > $3)
         order by id
        "#,
        shard,
        process,
        since,
    )
    .fetch_all(conn)
    .await
}

/// Takes those of the jobs that nobody has locked.
async fn take(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    jobs: &[Uuid],
    cause: Cause,
) -> sqlx::Result<Rescued> {
    if jobs.is_empty() {
        return Ok(Rescued::default());
    }
    let planner: Vec<String> = PLANNER.iter().map(|(name, value)| format!("set local {name} = {value}")).collect();
    sqlx::raw_sql(AssertSqlSafe(planner.join("; "))).execute(&mut *conn).await?;
    let taken =
        sqlx::query_file!("src/lease/take.sql", shard, jobs, process, cause == Cause::Crash, CRASHES_MAX, CHANNEL,);
    let taken = taken.fetch_one(conn).await?;
    Ok(Rescued { ready: taken.ready as u64, poison: taken.poison as u64 })
}
