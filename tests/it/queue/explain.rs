//! Why a job does not run: one row for each reason.

use std::time::Duration;

use queue::NewJob;
use queue::explain::{Explanation, Reason, explain};
use queue::inspect::JobState;
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::control::operate;
use super::support::{Act, QUEUE, Worker, enqueue, reaches, told, waits_for};

const HOUR: Duration = Duration::from_secs(3_600);
/// A process that serves the queue and never asks for a job.
const PROCESS: Uuid = Uuid::from_u128(1);

async fn look(pool: &PgPool, id: Uuid) -> Explanation {
    explain(&mut pool.acquire().await.unwrap(), 0, id).await.unwrap().expect("the job is somewhere")
}

async fn run(pool: &PgPool, statement: &'static str) {
    sqlx::raw_sql(statement).execute(pool).await.unwrap();
}

/// Where no job runs, although a worker is there.
async fn with_idle_worker() -> PgPool {
    let pool = Database::create().await.pool(5).await;
    run(&pool, "insert into queue.process (id, pid, host, queues, kinds, started_at, heartbeat_at, expires_at)
                values ('00000000-0000-0000-0000-000000000001', 42, 'h', '{test}', '{test.told}', now(), now(), now() + '1 hour')")
        .await;
    pool
}

/// The reasons as their names, in order.
fn names(explanation: &Explanation) -> Vec<String> {
    let name = |reason: &Reason| serde_json::to_value(reason).unwrap()["reason"].as_str().unwrap().to_owned();
    explanation.reasons.iter().map(name).collect()
}

/// A job, what is done before one asks about it, the reasons' names, and what the first of them says.
type Row = (NewJob, &'static str, &'static [&'static str], &'static str);

fn table() -> Vec<Row> {
    let job = || told("a", Act::Succeed);
    let rank = "0 ready jobs of the queue test come before it";
    vec![
        (job(), "", &["rank"], rank),
        (job().delay(HOUR), "", &["scheduled"], "it is due in 3"),
        (job().delay(HOUR), "update queue.job set attempt = 2", &["retry_in"], "it failed, and is tried again in 3"),
        (job(), "operator:queue", &["queue_paused", "rank"], "the queue test has been paused since 2"),
        (job(), "operator:kind", &["kind_paused", "rank"], "the kind test.told has been paused since 2"),
        (
            job(),
            "update queue.job set state = 3, waits_for = -1",
            &["laid_aside"],
            "it was laid aside while the kind test.told was paused, and is about to be put back",
        ),
        (
            job(),
            "insert into queue.queue_control (queue, running_max, running) values ('test', 3, 3)",
            &["queue_limit", "rank"],
            "the queue test runs 3 of at most 3 jobs",
        ),
        (
            job().limit("nobody", "k"),
            "",
            &["no_such_limit", "rank"],
            "nobody has declared the limit nobody, so that nothing under it runs",
        ),
        (
            job().limit("mail", "k"),
            "insert into queue.limit_rule (name, running_max, changed_at) values ('mail', 2, now());
             insert into queue.limit_key (name, key, running, refilled_at) values ('mail', 'k', 2, now())",
            &["limit_full", "rank"],
            "the limit mail runs 2 of at most 2 jobs for the key k",
        ),
        (
            job().limit("mail", "k").weight(3),
            "insert into queue.limit_rule (name, rate_per_s, burst, changed_at) values ('mail', 0.001, 5, now());
             insert into queue.limit_key (name, key, tokens, refilled_at) values ('mail', 'k', 1, now())",
            &["rate_limited", "rank"],
            "the limit mail has 1.00 tokens for the key k, and enough in ",
        ),
        (
            // A full bucket is enough for a job that asks for more than it holds.
            job().limit("mail", "k").weight(30),
            "insert into queue.limit_rule (name, rate_per_s, burst, changed_at) values ('mail', 0.001, 5, now())",
            &["rank"],
            "0 jobs of the key k come before it in the queue test",
        ),
        (
            job(),
            "update queue.process set expires_at = now() - interval '1 second'",
            &["no_live_worker", "rank"],
            "no live worker serves the queue test and knows the kind test.told",
        ),
        (
            job(),
            "update queue.process set kinds = '{test.other}'",
            &["no_live_worker", "rank"],
            "no live worker serves the queue test and knows the kind test.told",
        ),
        (job(), "update queue.process set kinds = '{}'", &["rank"], rank),
        (
            job(),
            "update queue.job set claimed_at = now(), owner = '00000000-0000-0000-0000-000000000001',
                                  cancelled_by = 'ada'",
            &["running"],
            "it has been running since 2",
        ),
    ]
}

#[tokio::test]
async fn each_reason_is_named() {
    for (job, before, expected, text) in table() {
        let pool = with_idle_worker().await;
        let ids = enqueue(&pool, &[job]).await;
        match before {
            "operator:queue" => drop(operate!(pool, pause_queue, QUEUE)),
            "operator:kind" => drop(operate!(pool, pause_kind, "test.told")),
            statement => run(&pool, statement).await,
        }
        let found = look(&pool, ids[0]).await;
        assert_eq!(names(&found), expected, "{before}");
        assert!(found.reasons[0].to_string().starts_with(text), "{}", found.reasons[0]);
        assert_eq!((found.id, found.kind.as_str(), found.queue.as_str()), (ids[0], "test.told", QUEUE));
    }
}

#[tokio::test]
async fn all_that_applies_is_named_in_order() {
    let pool = with_idle_worker().await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed).limit("nobody", "k").delay(HOUR)]).await;
    let _ = operate!(pool, pause_queue, QUEUE);
    let _ = operate!(pool, pause_kind, "test.told");
    let _ = operate!(pool, limit_queue, QUEUE, Some(0));
    run(&pool, "delete from queue.process").await;
    let found = look(&pool, ids[0]).await;
    let expected = ["scheduled", "queue_paused", "queue_limit", "kind_paused", "no_such_limit", "no_live_worker"];
    assert_eq!(names(&found), expected);
    assert!(found.reasons[1].to_string().ends_with("by operator:ada"));
}

#[tokio::test]
async fn jobs_that_are_waited_for_are_named_up_to_a_number() {
    let pool = with_idle_worker().await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed)]).await;
    run(
        &pool,
        "update queue.job set state = 3, waits_for = 30;
                insert into queue.dependency (on_job, job, policy)
                select gen_random_uuid(), id, 0 from queue.job cross join generate_series(1, 30)",
    )
    .await;
    let found = look(&pool, ids[0]).await;
    let [Reason::WaitsFor { jobs, count }] = found.reasons.as_slice() else { panic!("{found:?}") };
    assert_eq!((jobs.len(), *count), (20, 30));
    run(&pool, "delete from queue.dependency").await;
    let told = look(&pool, ids[0]).await.reasons[0].to_string();
    assert_eq!(told, "the jobs that it waited for have ended, and it is about to be told");
}

#[tokio::test]
async fn the_rank_counts_those_before_up_to_a_number() {
    let pool = with_idle_worker().await;
    let jobs: Vec<NewJob> = (0..1_200).map(|n| told(&n.to_string(), Act::Succeed)).collect();
    let ids = enqueue(&pool, &jobs).await;
    let ahead = |explanation: Explanation| match explanation.reasons.as_slice() {
        [Reason::Rank { ahead, .. }] => *ahead,
        reasons => panic!("{reasons:?}"),
    };
    assert_eq!(ahead(look(&pool, ids[7]).await), 7);
    let last = look(&pool, ids[1_199]).await;
    assert_eq!(last.reasons[0].to_string(), "more than 1,000 ready jobs of the queue test come before it");
    assert_eq!(ahead(last), 1_001);
}

#[tokio::test]
async fn the_life_of_a_job_with_a_worker_is_explained() {
    let pool = Database::create().await.pool(10).await;
    let worker = Worker::start(&pool).await;
    let first = told("first", Act::Wait).sequence("s");
    let jobs = [first, told("second", Act::Succeed).sequence("s"), told("dead", Act::Fail), told("ok", Act::Succeed)];
    let ids = enqueue(&pool, &jobs).await;
    let running = waits_for(|| async {
        let found = look(&pool, ids[0]).await;
        (found.state == JobState::Running).then_some(found)
    })
    .await;
    let [Reason::Running { process, host: Some(_), pid, cancel_asked_by: None, .. }] = running.reasons.as_slice()
    else {
        panic!("{running:?}")
    };
    assert_eq!((*process, *pid), (worker.process, Some(std::process::id() as i32)));
    let second = look(&pool, ids[1]).await;
    assert_eq!(second.reasons[0], Reason::SequenceBehind { key: "s".to_owned(), job: ids[0] });
    reaches(&pool, ids[2], JobState::Dead).await;
    let dead = look(&pool, ids[2]).await;
    assert!(matches!(&dead.reasons[..], [Reason::Dead { why, .. }] if why == "exhausted"), "{dead:?}");
    reaches(&pool, ids[3], JobState::Succeeded).await;
    let ended = look(&pool, ids[3]).await;
    assert!(matches!(&ended.reasons[..], [Reason::Ended { state: JobState::Succeeded, .. }]), "{ended:?}");
    assert_eq!(explain(&mut pool.acquire().await.unwrap(), 0, PROCESS).await.unwrap(), None);
    worker.stage.gate.add_permits(1);
    reaches(&pool, ids[1], JobState::Succeeded).await;
    worker.stop().await;
}
