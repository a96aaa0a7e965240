//! Jobs that nothing can stand in the way of and that are ready at once, as most are: a statement that asks for nothing
//! else and answers nothing costs the server three quarters of what any job takes, where few come together.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Placed, Wake, each};
use crate::NewJob;
use crate::inspect::JobState;
use crate::new_job::Due;
use crate::notify::{CHANNEL, of_lone_job};

/// Whether the job is one of these, if its id is fresh.
pub(super) fn is_plain(job: &NewJob) -> bool {
    let NewJob { due, unique, limited, tags, parent, expires_at, waits_for, .. } = job;
    *due == Due::In(Duration::ZERO)
        && unique.is_none()
        && limited.is_none()
        && tags.is_empty()
        && parent.is_none()
        && expires_at.is_none()
        && *waits_for == 0
}

/// Inserts all of them, or none; returns their ids, and the state that they begin in.
pub(super) async fn insert(
    conn: &mut PgConnection,
    jobs: &[Placed<'_>],
    wake: Wake,
) -> sqlx::Result<HashMap<Uuid, JobState>> {
    let mut counts: BTreeMap<(i16, &str), i32> = BTreeMap::new();
    for Placed { job, .. } in jobs {
        *counts.entry((job.shard, &*job.queue)).or_default() += 1;
    }
    let words: Vec<String> = match (wake, jobs) {
        (Wake::Later, _) => Vec::new(),
        (Wake::WithCommit, [Placed { job, .. }]) => vec![of_lone_job(&job.queue, job.id)],
        (Wake::WithCommit, _) => counts.keys().map(|(_, queue)| (*queue).to_owned()).collect(),
    };
    let inserted = sqlx::query_file!(
        "src/enqueue/plain.sql",
        &each(jobs, |job| job.shard),
        &each(jobs, |job| job.id),
        &each(jobs, |job| job.queue.as_ref()) as &[&str],
        &each(jobs, |job| job.kind.as_ref()) as &[&str],
        &each(jobs, |job| job.priority.rank()),
        &each(jobs, |job| job.max_attempts as i16),
        &each(jobs, |job| job.actor.as_deref()) as &[Option<&str>],
        &jobs.iter().map(Placed::trace).collect::<Vec<_>>() as &[Option<&str>],
        &each(jobs, |job| job.stored_payload(job.id)) as &[std::borrow::Cow<'_, str>],
        &each(jobs, |job| job.version),
        &jobs.iter().map(|asked| asked.place as i64).collect::<Vec<_>>(),
        &counts.keys().map(|(shard, _)| *shard).collect::<Vec<_>>(),
        &counts.keys().map(|(_, queue)| *queue).collect::<Vec<_>>() as &[&str],
        &counts.values().copied().collect::<Vec<_>>(),
        CHANNEL,
        &words,
    );
    inserted.fetch_one(conn).await?;
    Ok(jobs.iter().map(|Placed { job, .. }| (job.id, JobState::Ready)).collect())
}
