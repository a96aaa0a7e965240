//! The database's clock is put forward or back: nothing is lost, done twice, or held up for as long as that.

use std::time::Duration;

use chrono::{DateTime, Utc};
use cli::migrations::migrate;
use queue::Limit;
use queue::inspect::JobState;
use sqlx::{Connection, PgConnection, PgPool};
use tests::faketime;
use tests::server::Server;
use workers::child::ChildConfig;

use super::support::{Act, Worker, count, cut, enqueue, reaches, told, waits_for};

const HOUR_S: i64 = 3_600;

/// A server whose clock can be put, with a migrated database in it; none without the library for that.
async fn server() -> Option<(Server, PgPool)> {
    let library = faketime::library("a clock that jumps is not tried")?;
    let server = Server::start_with_clock(&["fsync=off"], &library);
    let mut conn = PgConnection::connect(&server.url("postgres")).await.unwrap();
    sqlx::query("create database clock").execute(&mut conn).await.unwrap();
    let pool = PgPool::connect(&server.url("clock")).await.unwrap();
    migrate(&pool).await.unwrap();
    Some((server, pool))
}

/// Puts the clock and makes sure of it.
async fn put(server: &Server, pool: &PgPool, seconds: i64) {
    server.set_clock(seconds);
    let off = "select extract(epoch from clock_timestamp())::float8";
    let theirs: f64 = sqlx::query_scalar(off).fetch_one(pool).await.unwrap();
    let ours = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((theirs - ours - seconds as f64).abs() < 60.0, "{theirs} is {seconds} s from {ours}");
}

fn with_lease(lease: Duration) -> impl FnOnce(&mut ChildConfig) {
    move |config| config.consumer.lease = lease
}

#[tokio::test]
async fn a_rate_goes_on_when_the_clock_is_put_back() {
    let Some((server, pool)) = server().await else { return };
    let mut worker = Worker::start_with(&pool, |config| {
        let registry = std::mem::take(&mut config.consumer.registry);
        config.consumer.registry = registry.limit(Limit::rate("mail", 5.0, 1.0));
    })
    .await;
    let mail = |name| told(name, Act::Succeed).limit("mail", "key");
    enqueue(&pool, &[mail("before"), mail("too")]).await;
    assert_eq!(worker.next_names(2).await, ["before", "too"], "its bucket is empty");
    put(&server, &pool, -HOUR_S).await;
    enqueue(&pool, &[mail("after"), mail("later")]).await;
    assert_eq!(worker.next_names(2).await, ["after", "later"]);
    worker.stop().await;
}

#[tokio::test]
async fn who_died_before_the_clock_was_put_back_is_called_lost_after_a_lease() {
    let Some((server, pool)) = server().await else { return };
    let mut first = Worker::start_with(&pool, with_lease(Duration::from_secs(1))).await;
    let job = enqueue(&pool, &[told("job", Act::Wait)]).await[0];
    first.next().await;
    first.abandon();
    put(&server, &pool, -HOUR_S).await;
    let mut second = Worker::start_with(&pool, with_lease(Duration::from_secs(1))).await;
    assert_eq!(second.next().await.name, "job");
    second.stage.gate.add_permits(1);
    reaches(&pool, job, JobState::Succeeded).await;
    second.stop().await;
}

#[tokio::test]
async fn nobody_who_lives_is_called_lost_when_the_clock_is_put_forward() {
    let Some((server, pool)) = server().await else { return };
    let mut workers = Vec::new();
    for _ in 0..4 {
        workers.push(Worker::start_with(&pool, with_lease(Duration::from_secs(2))).await);
    }
    let jobs: Vec<_> = (0..64).map(|n| told(&n.to_string(), Act::Wait)).collect();
    let jobs = enqueue(&pool, &jobs).await;
    let running = "select count(*) from queue.job where owner is not null";
    waits_for(|| async { (count(&pool, running).await == 64).then_some(()) }).await;
    // From then on they may call others lost.
    let old = "select count(*) from queue.process where clock_timestamp() - started_at > interval '3 seconds'";
    waits_for(|| async { (count(&pool, old).await == 4).then_some(()) }).await;
    put(&server, &pool, HOUR_S).await;
    // Each has renewed its lease, which every other one took for lost for a moment, and a lease has passed since.
    let past = "select count(*) from queue.process
                 where heartbeat_at - started_at > interval '1 hour 6 seconds' and lost_at is null";
    waits_for(|| async { (count(&pool, past).await == 4).then_some(()) }).await;
    workers.iter().for_each(|worker| worker.stage.gate.add_permits(64));
    for job in jobs {
        reaches(&pool, job, JobState::Succeeded).await;
    }
    let once = "select count(*) from queue.job_history where attempt = 1 and crashes = 0 and epoch = 1";
    assert_eq!(count(&pool, once).await, 64, "each was claimed once");
    for worker in workers {
        worker.stop().await;
    }
}

#[tokio::test]
async fn what_a_lost_claim_took_is_taken_back_after_the_clock_was_put_back() {
    let Some((server, pool)) = server().await else { return };
    let outside = PgPool::connect(&server.url("clock")).await.unwrap();
    let mut worker = Worker::start(&pool).await;
    let before = enqueue(&outside, &[told("before", Act::Succeed)]).await[0];
    assert_eq!(worker.next().await.name, "before");
    reaches(&outside, before, JobState::Succeeded).await;
    put(&server, &outside, -HOUR_S).await;
    // It is seen at the first heartbeat since.
    let heartbeat = "select case when heartbeat_at <= clock_timestamp() then heartbeat_at end from queue.process";
    let heartbeat =
        || async { sqlx::query_scalar::<_, Option<DateTime<Utc>>>(heartbeat).fetch_one(&outside).await.unwrap() };
    let first = waits_for(heartbeat).await;
    waits_for(|| async { heartbeat().await.filter(|at| *at > first) }).await;
    for name in ["lost", "lost after one that was answered"] {
        let lost = enqueue(&outside, &[told(name, Act::Succeed).delay(Duration::from_secs(9_000))]).await;
        let claim = "update queue.job set state = 1, owner = $1, attempt = 1, epoch = 1, claimed_at = clock_timestamp()
                      where owner is null";
        sqlx::query(claim).bind(worker.process).execute(&outside).await.unwrap();
        cut(&outside).await;
        assert_eq!(worker.next().await.name, name);
        reaches(&outside, lost[0], JobState::Succeeded).await;
    }
    worker.stop().await;
}
