//! What becomes of a job, for each of the things it can do.

use std::time::Duration;

use queue::inspect::JobState;
use queue::{NewJob, Priority};
use sqlx::PgPool;
use tests::database::{Database, until_blocked};
use uuid::Uuid;

use super::support::{Act, Hasty, Seen, Worker, count, effects, enqueue, find, make_effects, reaches, told};

#[tokio::test]
async fn each_decision_leads_to_its_end() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let worker = Worker::start(&pool).await;
    let table = [
        (Act::Succeed, JobState::Succeeded, 1, 0),
        (Act::Write, JobState::Succeeded, 1, 0),
        (Act::FailBefore(2), JobState::Succeeded, 2, 1),
        (Act::SnoozeOnce(Duration::from_millis(10)), JobState::Succeeded, 1, 0),
        (Act::Discard, JobState::Discarded, 1, 1),
        (Act::Cancel, JobState::Cancelled, 1, 1),
        (Act::Fail, JobState::Dead, 3, 3),
        (Act::WriteAndFail, JobState::Dead, 3, 3),
        (Act::Panic, JobState::Dead, 3, 3),
        (Act::RetryAfter(Duration::from_millis(10)), JobState::Dead, 3, 3),
    ];
    let jobs: Vec<NewJob> = table.iter().map(|(act, ..)| told(&format!("{act:?}"), act.clone())).collect();
    let ids = enqueue(&pool, &jobs).await;
    for (id, (act, state, attempts, errors)) in ids.into_iter().zip(table) {
        let job = reaches(&pool, id, state).await;
        assert_eq!((job.attempt, job.errors.len()), (attempts, errors), "{act:?}");
        assert!(job.finished_at.is_some_and(|finished| finished >= job.created_at), "{act:?}");
    }
    assert_eq!(effects(&pool).await, ["Write"], "what a failing job writes is rolled back");
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
    worker.stop().await;
}

#[tokio::test]
async fn a_failed_attempt_is_kept_with_its_error_time_and_process() {
    let pool = Database::create().await.pool(10).await;
    let worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Fail), told("b", Act::Panic)]).await;
    let job = reaches(&pool, ids[0], JobState::Dead).await;
    assert_eq!(job.dead_reason.as_deref(), Some("exhausted"));
    assert_eq!(job.errors.iter().map(|error| error.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    for error in &job.errors {
        assert_eq!((error.error.as_str(), error.process), ("told to fail", Some(worker.process)));
        assert!(error.at >= job.created_at);
    }
    // 20 ms after the first attempt, 40 ms after the second, a tenth less at most.
    let gaps: Vec<_> = job.errors.windows(2).map(|two| (two[1].at - two[0].at).num_milliseconds()).collect();
    assert!(gaps[0] >= 18 && gaps[1] >= 36, "{gaps:?}");
    let job = reaches(&pool, ids[1], JobState::Dead).await;
    assert_eq!(job.errors[0].error, "panicked: told to panic");
    worker.stop().await;
}

#[tokio::test]
async fn a_retry_is_persisted_with_its_time() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::RetryAfter(Duration::from_secs(3_600)))]).await;
    worker.next().await;
    let job = reaches(&pool, ids[0], JobState::Scheduled).await;
    let wait = job.run_at - job.errors[0].at;
    assert!((3_599..=3_600).contains(&wait.num_seconds()), "{wait}");
    assert_eq!(job.attempt, 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_timeout_ends_the_job_and_its_transaction() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[NewJob::of(&Hasty { name: "a".to_owned() }).unwrap()]).await;
    let job = reaches(&pool, ids[0], JobState::Dead).await;
    assert_eq!(job.errors[0].error, "timed out after 50ms");
    assert!(effects(&pool).await.is_empty());
    worker.stop().await;
}

#[tokio::test]
async fn a_result_is_kept() {
    let pool = Database::create().await.pool(10).await;
    let worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Return(42))]).await;
    assert_eq!(reaches(&pool, ids[0], JobState::Succeeded).await.result, Some(42.into()));
    worker.stop().await;
}

#[tokio::test]
async fn jobs_run_by_priority_then_by_age() {
    let pool = Database::create().await.pool(10).await;
    let jobs = [
        told("normal 1", Act::Succeed),
        told("low", Act::Succeed).priority(Priority::LOW),
        told("normal 2", Act::Succeed),
        told("urgent", Act::Succeed).priority(Priority::URGENT),
    ];
    for job in jobs {
        enqueue(&pool, &[job]).await;
    }
    let mut worker = Worker::start_with(&pool, |config| config.consumer.concurrency = 1).await;
    assert_eq!(worker.next_names(4).await, ["urgent", "normal 1", "normal 2", "low"]);
    worker.stop().await;
}

#[tokio::test]
async fn what_cannot_be_understood_is_kept_as_a_dead_letter() {
    let pool = Database::create().await.pool(10).await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed), told("b", Act::Succeed), told("c", Act::Succeed)]).await;
    sqlx::query("update queue.job set kind = 'test.forgotten' where id = $1")
        .bind(ids[0])
        .execute(&pool)
        .await
        .unwrap();
    let spoil = "update queue.job set payload = '{\"of\": \"another time\"}' where id = $1";
    sqlx::query(spoil).bind(ids[1]).execute(&pool).await.unwrap();
    let worker = Worker::start(&pool).await;
    let unknown = reaches(&pool, ids[0], JobState::Dead).await;
    assert_eq!(unknown.dead_reason.as_deref(), Some("unknown_kind"));
    assert!(unknown.errors[0].error.contains("test.forgotten"));
    let undecodable = reaches(&pool, ids[1], JobState::Dead).await;
    assert_eq!(undecodable.dead_reason.as_deref(), Some("undecodable"));
    assert!(undecodable.errors[0].error.contains("missing field `name`"), "{}", undecodable.errors[0].error);
    reaches(&pool, ids[2], JobState::Succeeded).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_finished_job_has_its_history_and_an_unknown_one_has_none() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let job = told("a", Act::Succeed).actor("user:1");
    let ids = enqueue(&pool, std::slice::from_ref(&job)).await;
    assert_eq!(worker.next().await, Seen { name: "a".to_owned(), attempt: 1 });
    let view = reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_eq!(
        (view.kind.as_str(), view.queue.as_str(), view.actor.as_deref()),
        (&*job.kind, &*job.queue, Some("user:1"))
    );
    assert_eq!(find(&pool, ids[0]).await, view);
    let nobody = queue::inspect::find(&mut pool.acquire().await.unwrap(), 0, Uuid::now_v7()).await.unwrap();
    assert_eq!(nobody, None);
    worker.stop().await;
}

/// Files an ended job of today.
const FILE: &str = "insert into queue.job_history select 0, 4, 1, 0, 1, 50, 3, now(), now(), null, gen_random_uuid(),
                    now(), now(), 'test', 'test.told', null, null, null, null, null, '{}'";

/// Takes the partition of today away.
async fn drop_today(pool: &PgPool) {
    let today: String =
        sqlx::query_scalar("select to_char(now() at time zone 'utc', 'YYYYMMDD')").fetch_one(pool).await.unwrap();
    let drop = format!("drop table queue.job_history_{today}");
    sqlx::query(sqlx::AssertSqlSafe(drop)).execute(pool).await.unwrap();
}

#[tokio::test]
async fn a_day_is_made_when_nobody_files_jobs_of_it_elsewhere() {
    let pool = Database::create().await.pool(10).await;
    drop_today(&pool).await;
    let mut filing = pool.begin().await.unwrap();
    sqlx::query(FILE).execute(&mut *filing).await.unwrap();
    let worker = Worker::start(&pool).await;
    until_blocked(&pool).await;
    let moved = "select count(*) from pg_locks where relation = 'queue.job_history_default'::regclass
                    and mode = 'RowExclusiveLock' and granted and pid <> pg_backend_pid()";
    let moved: i64 = sqlx::query_scalar(moved).fetch_one(&mut *filing).await.unwrap();
    assert_eq!(moved, 0, "what is filed now would not be moved");
    filing.commit().await.unwrap();
    worker.stop().await;
}

#[tokio::test]
async fn a_day_without_a_partition_of_its_own_stops_nothing() {
    let pool = Database::create().await.pool(10).await;
    drop_today(&pool).await;
    // A row of the day is in the default partition when the worker makes the day.
    sqlx::query(FILE).execute(&pool).await.unwrap();
    let worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed)]).await;
    reaches(&pool, ids[0], JobState::Succeeded).await;
    super::support::waits_for(|| async {
        (count(&pool, "select count(*) from queue.job_history_default").await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&pool, "select count(*) from queue.job_history").await, 2);
    worker.stop().await;
}
