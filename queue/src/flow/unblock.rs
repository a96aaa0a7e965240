//! Tells jobs that wait for others that those have ended.
//!
//! What ends while others wait for it leaves a row in `queue.ended`, in the same statement. From there on, the work is
//! done in rounds, each in a transaction of its own and with a bounded number of links, by whichever process comes
//! first. A round that is cut off has not happened, and the rows that it worked from are still there.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use super::Policy;
use super::enqueue::SUCCEEDED;
use crate::settle::PLANNER;

/// How many ended jobs, and how many of the links to them, one round works through at most.
const ROUND_MAX: usize = 1_000;

/// What one round did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Unblocked {
    /// Ended jobs and links that were worked through; with none, there is nothing more to do now.
    pub steps: usize,
    /// Jobs that no longer wait for others.
    pub unblocked: u64,
    /// Jobs that were cancelled because one that they waited for ended without success.
    pub cancelled: u64,
    /// The queues that have new ready jobs.
    pub(crate) ready: Vec<String>,
    /// The queues that have new jobs waiting for a place of their limit.
    pub(crate) limited: Vec<String>,
    /// Some of the jobs are not due yet.
    pub(crate) is_scheduled: bool,
}

/// A job that has ended while others waited for it.
struct Ended {
    id: Uuid,
    state: i16,
}

/// A job that waited for one of these.
struct Link {
    on_job: Uuid,
    job: Uuid,
    policy: i16,
}

/// One round: takes jobs that have ended and tells those that wait for them. Any process may do this at any time; what
/// somebody else is at work on is left to them. Call it until there are no more steps.
///
/// # Errors
/// When the database fails; nothing has been done then.
pub async fn unblock(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Unblocked> {
    let mut tx = conn.begin().await?;
    let planner: Vec<String> = PLANNER.iter().map(|(name, value)| format!("set local {name} = {value}")).collect();
    sqlx::raw_sql(AssertSqlSafe(planner.join("; "))).execute(&mut *tx).await?;
    let ended = take_ended(&mut tx, shard).await?;
    if ended.is_empty() {
        tx.commit().await?;
        return Ok(Unblocked::default());
    }
    let links = take_links(&mut tx, shard, &ended).await?;
    let mut told = tell(&mut tx, shard, &ended, &links).await?;
    told.steps = ended.len() + links.len();
    forget(&mut tx, shard, &done(&ended, &links)).await?;
    tx.commit().await?;
    Ok(told)
}

/// Locks jobs that have ended. Whoever makes another job wait for one of them waits for this lock, so that the next
/// statement sees every link to them.
async fn take_ended(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Vec<Ended>> {
    sqlx::query_as!(
        Ended,
        "select id, state from queue.ended where shard = $1 order by id limit $2 for update skip locked",
        shard,
        ROUND_MAX as i64,
    )
    .fetch_all(conn)
    .await
}

/// Takes links to these jobs, in the order of the jobs, as many as a round may have.
async fn take_links(conn: &mut PgConnection, shard: i16, ended: &[Ended]) -> sqlx::Result<Vec<Link>> {
    sqlx::query_as!(
        Link,
        r#"
        delete from queue.dependency
         where ctid = any (array(
                   select link.place
                     from unnest($2::uuid[]) as parent(id)
                    cross join lateral (
                              select one.ctid as place
                                from queue.dependency as one
                               -- A range, so that only the index which begins with the parent gives this order.
                               where one.shard = $1 and one.on_job >= parent.id and one.on_job <= parent.id
                               order by one.on_job, one.job
                               limit $3
                          ) as link
                    limit $3
               ))
        returning on_job, job, policy
        "#,
        shard,
        &ended.iter().map(|one| one.id).collect::<Vec<_>>(),
        ROUND_MAX as i64,
    )
    .fetch_all(conn)
    .await
}

/// The ended jobs to which no link is left: all, or, of a full round, those before the last one that it got to.
fn done(ended: &[Ended], links: &[Link]) -> Vec<Uuid> {
    let last = links.iter().map(|link| link.on_job).max();
    let is_done = |id: &Uuid| links.len() < ROUND_MAX || Some(*id) < last;
    ended.iter().map(|one| one.id).filter(is_done).collect()
}

async fn forget(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("delete from queue.ended where shard = $1 and id = any ($2)", shard, ids).execute(conn).await?;
    Ok(())
}

/// Tells the jobs at the other end of the links.
async fn tell(conn: &mut PgConnection, shard: i16, ended: &[Ended], links: &[Link]) -> sqlx::Result<Unblocked> {
    let states: BTreeMap<Uuid, i16> = ended.iter().map(|one| (one.id, one.state)).collect();
    let (mut arrived, mut failed): (BTreeMap<Uuid, i16>, BTreeMap<Uuid, Ended>) = Default::default();
    for link in links {
        let state = states[&link.on_job];
        if state != SUCCEEDED && link.policy == Policy::Cancel as i16 {
            failed.entry(link.job).or_insert(Ended { id: link.on_job, state });
        } else {
            *arrived.entry(link.job).or_default() += 1;
        }
    }
    arrived.retain(|job, _| !failed.contains_key(job));
    lock(conn, shard, &arrived, &failed).await?;
    let cancelled = cancel(conn, shard, &failed).await?;
    Ok(Unblocked { cancelled, ..arrive(conn, shard, &arrived).await? })
}

/// Locks the waiting jobs in the order of their ids: another process may be telling them of other jobs.
async fn lock(
    conn: &mut PgConnection,
    shard: i16,
    arrived: &BTreeMap<Uuid, i16>,
    failed: &BTreeMap<Uuid, Ended>,
) -> sqlx::Result<()> {
    let mut ids: Vec<Uuid> = arrived.keys().chain(failed.keys()).copied().collect();
    ids.sort_unstable();
    sqlx::query!(
        r#"
        select job.id
          from unnest($2::uuid[]) as asked(id)
         cross join lateral (
                   select one.id from queue.job as one where one.shard = $1 and one.id = asked.id for update
               ) as job
        "#,
        shard,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(())
}

/// Cancels waiting jobs, each because of the job that is named with it.
async fn cancel(conn: &mut PgConnection, shard: i16, failed: &BTreeMap<Uuid, Ended>) -> sqlx::Result<u64> {
    if failed.is_empty() {
        return Ok(0);
    }
    let cancelled = sqlx::query_file_scalar!(
        "src/flow/cancel.sql",
        shard,
        &failed.keys().copied().collect::<Vec<_>>(),
        &failed.values().map(|parent| parent.id).collect::<Vec<_>>(),
        &failed.values().map(|parent| parent.state).collect::<Vec<_>>(),
    );
    Ok(cancelled.fetch_one(conn).await? as u64)
}

/// Tells waiting jobs how many of the jobs that they wait for have ended.
async fn arrive(conn: &mut PgConnection, shard: i16, arrived: &BTreeMap<Uuid, i16>) -> sqlx::Result<Unblocked> {
    if arrived.is_empty() {
        return Ok(Unblocked::default());
    }
    let told = sqlx::query_file!(
        "src/flow/arrive.sql",
        shard,
        &arrived.keys().copied().collect::<Vec<_>>(),
        &arrived.values().copied().collect::<Vec<_>>(),
    );
    let told = told.fetch_one(conn).await?;
    Ok(Unblocked {
        unblocked: told.jobs as u64,
        ready: told.ready,
        limited: told.limited,
        is_scheduled: told.is_scheduled,
        ..Unblocked::default()
    })
}
