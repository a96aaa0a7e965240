//! Sequences: jobs of a key run one after the other, in their order, whatever happens to one of them.

use std::time::Duration;

use queue::inspect::JobState;
use queue::lease;
use sqlx::PgPool;

use super::limits::{HELD, at_once, database, finish, spanned, start};
use super::support::{Act, Seen, Worker, count, enqueue, find, reaches, told};

/// The runs of all jobs, in the order of their beginning.
async fn runs(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select name from span order by began").fetch_all(pool).await.unwrap()
}

async fn two(pool: &PgPool) -> Vec<Worker> {
    vec![start(pool, |_| {}).await, start(pool, |_| {}).await]
}

#[tokio::test]
async fn two_workers_keep_the_order_of_each_key() {
    let pool = database().await;
    let jobs: Vec<_> = (0..150)
        .map(|n| {
            let act = if n % 10 == 0 { Act::FailBefore(2) } else { Act::Succeed };
            spanned(format!("{n:03}"), format!("k{}", n % 5), 0.001, act).sequence(format!("k{}", n % 5))
        })
        .collect();
    enqueue(&pool, &jobs).await;
    finish(&pool, two(&pool).await).await;
    assert_eq!(at_once(&pool, true).await, 1);
    assert_eq!(count(&pool, "select count(*) from span").await, 165);
    let disorder = "select count(*)
                      from (select name, lag(name) over (partition by key order by began) as before from span) as runs
                     where before > name";
    assert_eq!(count(&pool, disorder).await, 0);
}

/// Runs three jobs of a key, of which the first does this; returns the runs.
async fn first_does(act: Act) -> Vec<String> {
    let pool = database().await;
    let acts = [("a", act), ("b", Act::Succeed), ("c", Act::Succeed)];
    let jobs = acts.map(|(name, act)| spanned(name, "k", 0.0, act).sequence("k"));
    let ids = enqueue(&pool, &jobs).await;
    finish(&pool, two(&pool).await).await;
    assert_eq!(find(&pool, ids[2]).await.state, JobState::Succeeded);
    runs(&pool).await
}

#[tokio::test]
async fn retries_hold_the_successors_back() {
    assert_eq!(first_does(Act::FailBefore(3)).await, ["a", "a", "a", "b", "c"]);
}

#[tokio::test]
async fn a_dead_job_lets_the_next_one_go() {
    assert_eq!(first_does(Act::Fail).await, ["a", "a", "a", "b", "c"]);
}

#[tokio::test]
async fn a_snoozed_job_holds_the_successors_back() {
    assert_eq!(first_does(Act::SnoozeOnce(Duration::from_millis(200))).await, ["a", "a", "b", "c"]);
}

#[tokio::test]
async fn a_rescued_job_keeps_its_place() {
    let pool = database().await;
    let acts = [("a", Act::Wait), ("b", Act::Succeed), ("c", Act::Succeed)];
    enqueue(&pool, &acts.map(|(name, act)| told(name, act).sequence("k"))).await;
    let mut dead = start(&pool, |config| config.consumer.heartbeat = Duration::from_secs(2_000)).await;
    assert_eq!(dead.next().await.name, "a");
    let mut heir = start(&pool, |_| {}).await;
    lease::release(&mut pool.acquire().await.unwrap(), 0, dead.process).await.unwrap();
    assert_eq!(count(&pool, HELD).await, 1, "its place is still its own");
    assert_eq!(heir.next().await, Seen { name: "a".to_owned(), attempt: 1 });
    assert!(!heir.has_more());
    dead.abandon();
    heir.stage.gate.add_permits(1);
    assert_eq!(heir.next_names(2).await, ["b", "c"]);
    finish(&pool, vec![heir]).await;
}

#[tokio::test]
async fn fifty_keys_run_beside_each_other() {
    let pool = database().await;
    let jobs: Vec<_> = (0..100).map(|n| told(&format!("{n:03}"), Act::Wait).sequence(format!("k{}", n % 50))).collect();
    enqueue(&pool, &jobs).await;
    let mut worker = start(&pool, |config| config.consumer.concurrency = 64).await;
    let mut first = worker.next_names(50).await;
    first.sort();
    assert_eq!(first, (0..50).map(|n| format!("{n:03}")).collect::<Vec<_>>(), "the first of each key");
    assert!(!worker.has_more(), "none of the second ones");
    worker.stage.gate.add_permits(100);
    worker.next_names(50).await;
    finish(&pool, vec![worker]).await;
}

#[tokio::test]
async fn a_cancelled_or_discarded_job_lets_the_next_one_go() {
    let pool = database().await;
    let acts = [("a", Act::Cancel), ("b", Act::Discard), ("c", Act::Panic), ("d", Act::Succeed)];
    let ids = enqueue(&pool, &acts.map(|(name, act)| told(name, act).sequence("k"))).await;
    let mut worker = start(&pool, |_| {}).await;
    reaches(&pool, ids[3], JobState::Succeeded).await;
    assert_eq!(worker.next_names(6).await, ["a", "b", "c", "c", "c", "d"]);
    finish(&pool, vec![worker]).await;
}
