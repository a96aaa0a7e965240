//! Enqueues jobs, and writes down what it was told of each: that it was accepted, that it was not, or nothing.

use std::time::Duration;

use queue::{EnqueueError, NewJob, Notifier, Unique};
use sqlx::{Connection, PgConnection, PgPool};
use tests::random::Random;
use tokio::time::timeout;
use uuid::Uuid;

use super::event::{Diary, What};
use super::jobs::Told;

/// No more is enqueued while so many jobs are live: a run is about faults, not about load.
const BACKLOG_MAX: i64 = 100;
/// After this long an answer is not waited for any more.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two transactions.
const PAUSE: Duration = Duration::from_millis(60);

/// Enqueues until `ended` completes.
pub(super) async fn run(pool: &PgPool, diary: &Diary, mut random: Random, ended: impl Future<Output = ()>) {
    let notifier = Notifier::spawn(pool.clone());
    let enqueue = async {
        let mut conn = None;
        loop {
            tokio::time::sleep(PAUSE).await;
            if !once(&mut conn, pool, diary, &mut random).await.unwrap_or_default() {
                // Whatever it was asked may still be under way.
                conn = None;
            }
            ["history", "history_batch"].into_iter().for_each(|queue| notifier.wake(queue));
        }
    };
    tokio::select! {
        () = enqueue => {}
        () = ended => {}
    }
}

/// One transaction; false or an error when the connection is of no more use.
async fn once(
    conn: &mut Option<PgConnection>,
    pool: &PgPool,
    diary: &Diary,
    random: &mut Random,
) -> Result<bool, tokio::time::error::Elapsed> {
    if conn.is_none() {
        *conn = timeout(PATIENCE, PgConnection::connect_with(&pool.connect_options())).await?.ok();
    }
    let Some(conn) = conn else { return Ok(false) };
    let live = sqlx::query_scalar::<_, i64>("select count(*) from queue.job").fetch_one(&mut *conn);
    match timeout(PATIENCE, live).await? {
        Ok(live) if live < BACKLOG_MAX => {}
        Ok(_) => return Ok(true),
        Err(_) => return Ok(false),
    }
    let told: Vec<Told> = (0..1 + random.below(12)).map(|_| Told::draw(random)).collect();
    let jobs: Vec<NewJob> = told.iter().map(|told| job(told, random)).collect();
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id).collect();
    diary.note(What::Invoked(ids.iter().copied().zip(told).collect()));
    let mut is_committing = false;
    let answer = timeout(PATIENCE, enqueue(conn, &jobs, &mut is_committing)).await;
    let is_well = matches!(answer, Ok(Ok(_)));
    match answer {
        Ok(Ok(created)) => {
            let refused = ids.iter().filter(|id| !created.contains(id)).copied().collect();
            diary.note(What::Acknowledged(created));
            diary.note(What::Refused(refused));
        }
        _ if is_committing => diary.note(What::Unknown(ids)),
        _ => diary.note(What::Refused(ids)),
    }
    Ok(is_well)
}

fn job(told: &Told, random: &mut Random) -> NewJob {
    let job = told.job().unwrap();
    match random.below(20) {
        1 => job.unique(random.below(5).to_string(), Unique::WhileLive),
        2 => job.unique(random.below(5).to_string(), Unique::UntilStarted),
        _ => job,
    }
}

/// Returns the jobs that were created. `is_committing` is set once that can no longer be said not to have happened.
async fn enqueue(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    is_committing: &mut bool,
) -> Result<Vec<Uuid>, EnqueueError> {
    let mut tx = conn.begin().await?;
    let enqueued = queue::enqueue(&mut tx, jobs).await?;
    *is_committing = true;
    tx.commit().await?;
    Ok(enqueued.into_iter().filter(|one| one.created).map(|one| one.id).collect())
}
