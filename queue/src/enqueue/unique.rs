//! Jobs that stand in the way of others: found, replaced, or holding their key for a period.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::Enqueued;
use crate::inspect::JobState;
use crate::new_job::{NewJob, Unique};

/// The live jobs that stand in the way of these, by the index of the job.
pub(super) async fn find_existing(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    open: &[usize],
) -> sqlx::Result<Vec<(usize, Enqueued)>> {
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let open_jobs = || open.iter().map(|index| &jobs[*index]);
    let found = sqlx::query!(
        r#"
        select asked.place as "place!", there.id as "id!", there.state as "state!"
          from unnest($1::smallint[], $2::uuid[], $3::bytea[]) with ordinality as asked(shard, id, unique_key, place)
         cross join lateral (
                   select job.id, case when job.owner is null then job.state else 2::smallint end as state
                     from queue.job
                    where job.shard = asked.shard and job.id = asked.id
                    union all
                   select job.id, case when job.owner is null then job.state else 2::smallint end
                     from queue.job
                    where job.shard = asked.shard and job.unique_key = asked.unique_key
                    limit 1
               ) as there
        "#,
        &open_jobs().map(|job| job.shard).collect::<Vec<_>>(),
        &open_jobs().map(|job| job.id).collect::<Vec<_>>(),
        &open_jobs().map(|job| job.live_key()).collect::<Vec<_>>() as &[Option<&[u8]>],
    );
    let found = found.fetch_all(conn).await?;
    let answer = |id, state| Enqueued { id, created: false, state: JobState::from_number(state) };
    Ok(found.into_iter().map(|row| (open[row.place as usize - 1], answer(row.id, row.state))).collect())
}

/// Replaces the jobs that stand in the way of those which ask for that, and takes these off the list. One that begins
/// meanwhile is left alone, and no longer stands in the way.
pub(super) async fn replace(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    blocked: &mut Vec<usize>,
) -> sqlx::Result<Vec<(usize, Enqueued)>> {
    let mut answers = Vec::new();
    for index in std::mem::take(blocked) {
        let job = &jobs[index];
        let Some((key, Unique::Replace)) = &job.unique else {
            blocked.push(index);
            continue;
        };
        // Found first, since a payload may be sealed for the one job that it belongs to.
        let there =
            sqlx::query_scalar!("select id from queue.job where shard = $1 and unique_key = $2", job.shard, key);
        let Some(there) = there.fetch_optional(&mut *conn).await? else {
            blocked.push(index);
            continue;
        };
        let replaced = sqlx::query_file!(
            "src/enqueue/replace.sql",
            job.shard,
            key,
            job.due.delay_s(),
            job.due.time(),
            &*job.stored_payload(there),
            job.expires_at,
            job.version,
            there,
        );
        match replaced.fetch_optional(&mut *conn).await? {
            Some(row) => {
                let state = JobState::from_number(row.state);
                answers.push((index, Enqueued { id: row.id, created: false, state }));
            }
            None => blocked.push(index),
        }
    }
    Ok(answers)
}

/// Takes the keys of jobs that are unique for a period; answers those that come second, by index.
pub(super) async fn hold(conn: &mut PgConnection, jobs: &[NewJob]) -> sqlx::Result<Vec<(usize, Enqueued)>> {
    // The first of a key in this call asks for it; those after it come second to it.
    let mut first_of: HashMap<(i16, &[u8]), (usize, Duration)> = HashMap::new();
    for (index, job) in jobs.iter().enumerate() {
        if let Some((key, Unique::For(period))) = &job.unique {
            first_of.entry((job.shard, key)).or_insert((index, *period));
        }
    }
    if first_of.is_empty() {
        return Ok(Vec::new());
    }
    let mut holders: HashMap<(i16, &[u8]), Uuid> = HashMap::new();
    let mut shards: Vec<i16> = first_of.keys().map(|(shard, _)| *shard).collect();
    shards.sort_unstable();
    shards.dedup();
    for shard in shards {
        let asked: Vec<_> = first_of.iter().filter(|((of, _), _)| *of == shard).collect();
        let held = sqlx::query_file!(
            "src/enqueue/hold.sql",
            shard,
            &asked.iter().map(|((_, key), _)| key.to_vec()).collect::<Vec<_>>(),
            &asked.iter().map(|(_, (index, _))| jobs[*index].id).collect::<Vec<_>>(),
            &asked.iter().map(|(_, (_, period))| period.as_secs_f64()).collect::<Vec<_>>(),
        );
        for row in held.fetch_all(&mut *conn).await? {
            // None: the key was taken by somebody who committed after this statement began to look; they hold it.
            if let Some(job) = row.job {
                holders.insert(*asked[row.place as usize - 1].0, job);
            }
        }
    }
    let mut answers = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let Some((key, Unique::For(_))) = &job.unique else { continue };
        let holder = match holders.get(&(job.shard, key.as_slice())) {
            Some(holder) => *holder,
            None => holder(conn, job.shard, key).await?,
        };
        let is_first = first_of[&(job.shard, key.as_slice())].0 == index;
        if holder != job.id || !is_first {
            let found = crate::inspect::find(conn, job.shard, holder).await?;
            // One whose history is gone has ended, and one that is about to be inserted by this call is ready.
            let state = found.map_or(JobState::Ready, |found| found.state);
            answers.push((index, Enqueued { id: holder, created: false, state }));
        }
    }
    Ok(answers)
}

/// Who holds a key that somebody else took at the same time.
async fn holder(conn: &mut PgConnection, shard: i16, key: &[u8]) -> sqlx::Result<Uuid> {
    sqlx::query_scalar!("select job from queue.unique_hold where shard = $1 and unique_key = $2", shard, key)
        .fetch_one(conn)
        .await
}
