//! A queue or a kind that is paused and resumed, with workers at it.

use std::collections::HashSet;

use queue::control;
use queue::inspect::JobState;
use sqlx::PgPool;
use tests::database::Database;

use super::control::{assert_counters_hold, operate};
use super::support::{
    Act, QUEUE, Worker, count, effects, enqueue, find, make_effects, reaches, together, told, waits_for,
};

/// Until every process has renewed its lease, and so heard of what was said before.
async fn until_heard(pool: &PgPool) {
    let now: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(pool).await.unwrap();
    let heard = || async {
        let behind = "select count(*) from queue.process where heartbeat_at <= $1";
        let behind: i64 = sqlx::query_scalar(behind).bind(now).fetch_one(pool).await.unwrap();
        (behind == 0).then_some(())
    };
    waits_for(heard).await;
    // The heartbeat's answer is acted on by the time that the next one is sent.
    let now: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(pool).await.unwrap();
    waits_for(|| async {
        let behind = "select count(*) from queue.process where heartbeat_at <= $1";
        let behind: i64 = sqlx::query_scalar(behind).bind(now).fetch_one(pool).await.unwrap();
        (behind == 0).then_some(())
    })
    .await;
}

/// Until nothing runs any more.
async fn until_idle(pool: &PgPool) {
    waits_for(|| async {
        (count(pool, "select count(*) from queue.job where owner is not null").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn pausing_and_resuming_under_load_loses_and_doubles_nothing() {
    let pool = Database::create().await.pool(30).await;
    make_effects(&pool).await;
    let workers = [Worker::start(&pool).await, Worker::start(&pool).await];
    let mut names = HashSet::new();
    for round in 0..12 {
        let name = |n: usize| format!("{round}-{n}");
        let job = |n: usize| match n % 4 {
            0 => together(&name(n), Act::Write),
            1 => told(&name(n), Act::Write).sequence(format!("s{}", n % 3)),
            2 => told(&name(n), Act::Write).limit("pausing", format!("k{}", n % 5)),
            _ => told(&name(n), Act::Write),
        };
        names.extend((0..100).map(name));
        enqueue(&pool, &(0..100).map(job).collect::<Vec<_>>()).await;
        if round == 0 {
            let rule = control::LimitRule { running_max: Some(2), rate: None };
            let _ = operate!(pool, set_limit, "pausing", rule);
        }
        match round % 4 {
            0 => drop(operate!(pool, pause_kind, "test.told")),
            1 => drop(operate!(pool, pause_queue, QUEUE)),
            2 => drop(operate!(pool, resume_kind, "test.told")),
            _ => drop(operate!(pool, resume_queue, QUEUE)),
        }
        if round % 3 == 0 {
            control::wake(&mut pool.acquire().await.unwrap()).await.unwrap();
        }
    }
    control::wake(&mut pool.acquire().await.unwrap()).await.unwrap();
    waits_for(|| async { (count(&pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    for worker in workers {
        worker.stop().await;
    }
    let written = effects(&pool).await;
    assert_eq!(written.len(), names.len(), "nothing was done twice");
    assert_eq!(written.into_iter().collect::<HashSet<_>>(), names, "nothing was lost");
    assert_eq!(count(&pool, "select count(*) from queue.dead_job").await, 0);
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn nothing_of_a_queue_begins_once_its_pause_was_heard() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.concurrency = 1).await;
    let quick = enqueue(&pool, &[told("quick", Act::Succeed)]).await;
    reaches(&pool, quick[0], JobState::Succeeded).await;
    worker.next().await;
    let jobs: Vec<_> = (0..20).map(|n| told(&n.to_string(), Act::Wait)).collect();
    let ids = enqueue(&pool, &jobs).await;
    worker.next().await;
    assert_eq!(operate!(pool, pause_queue, QUEUE).changed, 1);
    assert_eq!(operate!(pool, pause_queue, QUEUE).changed, 0);
    until_heard(&pool).await;
    // What was claimed ahead has gone back, and the one that runs may end.
    waits_for(|| async {
        (count(&pool, "select count(*) from queue.job where state = 1 and owner is null").await == 19).then_some(())
    })
    .await;
    worker.stage.gate.add_permits(20);
    reaches(&pool, ids[0], JobState::Succeeded).await;
    enqueue(&pool, &[told("late", Act::Succeed)]).await;
    until_heard(&pool).await;
    assert!(!worker.has_more());
    assert_eq!(count(&pool, "select count(*) from queue.job where state = 1 and owner is null").await, 20);
    assert_counters_hold(&pool).await;
    let _ = operate!(pool, resume_queue, QUEUE);
    control::wake(&mut pool.acquire().await.unwrap()).await.unwrap();
    worker.next_names(20).await;
    worker.stop().await;
}

#[tokio::test]
async fn jobs_of_a_paused_kind_lie_aside_and_others_run() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let mut worker = Worker::start(&pool).await;
    assert_eq!(operate!(pool, pause_kind, "test.told").changed, 1);
    until_heard(&pool).await;
    let rule = control::LimitRule { running_max: Some(1), rate: None };
    let _ = operate!(pool, set_limit, "one", rule);
    let jobs = [
        told("plain", Act::Succeed),
        told("limited", Act::Succeed).limit("one", "k"),
        told("sequence", Act::Succeed).sequence("s"),
        together("other", Act::Succeed),
    ];
    let ids = enqueue(&pool, &jobs).await;
    reaches(&pool, ids[3], JobState::Succeeded).await;
    assert_eq!(worker.next().await.name, "other");
    let aside = "select count(*) from queue.job where state = 3 and waits_for = -1 and attempt = 0";
    waits_for(|| async { (count(&pool, aside).await == 3).then_some(()) }).await;
    until_idle(&pool).await;
    assert!(!worker.has_more());
    assert_counters_hold(&pool).await;
    // One of them is to wait for its time, once its kind is resumed.
    let later = chrono::DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let _ = operate!(pool, reschedule, &ids[0].into(), later);
    assert_eq!(operate!(pool, resume_kind, "test.told").changed, 3);
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Scheduled);
    let mut names = worker.next_names(2).await;
    names.sort();
    assert_eq!(names, ["limited", "sequence"]);
    for id in &ids[1..3] {
        reaches(&pool, *id, JobState::Succeeded).await;
    }
    worker.stop().await;
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn resuming_a_kind_waits_for_those_who_lay_its_jobs_aside() {
    let pool = Database::create().await.pool(10).await;
    let _ = operate!(pool, pause_kind, "test.told");
    let ids = enqueue(&pool, &[told("a", Act::Succeed)]).await;
    // As a settlement does it that lays the job aside.
    let mut settling = pool.begin().await.unwrap();
    sqlx::query("select from queue.kind_pause for key share").execute(&mut *settling).await.unwrap();
    sqlx::query("update queue.job set state = 3, waits_for = -1").execute(&mut *settling).await.unwrap();
    sqlx::query("insert into queue.counter_change (queue, ready, waiting) values ('test', -1, 1)")
        .execute(&mut *settling)
        .await
        .unwrap();
    let resuming = tokio::spawn({
        let pool = pool.clone();
        async move { operate!(pool, resume_kind, "test.told") }
    });
    tests::database::until_blocked(&pool).await;
    settling.commit().await.unwrap();
    assert_eq!(resuming.await.unwrap().changed, 1);
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Ready);
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn jobs_that_nobody_put_back_are_found() {
    let pool = Database::create().await.pool(10).await;
    enqueue(&pool, &[told("a", Act::Succeed), told("b", Act::Succeed), together("c", Act::Succeed)]).await;
    sqlx::query("update queue.job set state = 3, waits_for = -1").execute(&pool).await.unwrap();
    sqlx::query("insert into queue.counter_change (queue, ready, waiting) values ('test', -3, 3)")
        .execute(&pool)
        .await
        .unwrap();
    let _ = operate!(pool, pause_kind, "test.told_together");
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(control::resume_stranded(&mut conn, 0).await.unwrap(), 2);
    assert_eq!(control::resume_stranded(&mut conn, 0).await.unwrap(), 0);
    assert_eq!(count(&pool, "select count(*) from queue.job where state = 3").await, 1, "its kind is paused");
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn a_limited_queue_runs_no_more_than_it_may() {
    let pool = Database::create().await.pool(20).await;
    let _ = operate!(pool, limit_queue, QUEUE, Some(3));
    let mut workers = [Worker::start(&pool).await, Worker::start(&pool).await];
    enqueue(&pool, &(0..10).map(|n| told(&n.to_string(), Act::Wait)).collect::<Vec<_>>()).await;
    let running = "select count(*) from queue.job where owner is not null";
    waits_for(|| async { (count(&pool, running).await == 3).then_some(()) }).await;
    until_heard(&pool).await;
    assert_eq!(count(&pool, running).await, 3);
    assert_eq!(operate!(pool, limit_queue, QUEUE, None).changed, 1);
    control::wake(&mut pool.acquire().await.unwrap()).await.unwrap();
    waits_for(|| async { (count(&pool, running).await == 10).then_some(()) }).await;
    for worker in &mut workers {
        worker.stage.gate.add_permits(10);
    }
    waits_for(|| async { (count(&pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    assert_eq!(count(&pool, "select running::bigint from queue.queue_control").await, 0);
    for worker in workers {
        worker.stop().await;
    }
}
