//! Limits by key and by queue hold exactly, whoever claims, and let nobody starve.

use std::time::Duration;

use queue::inspect::JobState;
use queue::lease;
use queue::{Flow, Job, JobContext, JobError, NewJob, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use workers::child::ChildConfig;

use super::flows::{enqueue_flow, is_exact};
use super::support::{Act, QUEUE, Worker, count, enqueue, reaches, told, waits_for};

/// A job that records when it began and ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spanned {
    name: String,
    key: String,
    nap_s: f64,
    act: Act,
}

impl Job for Spanned {
    const KIND: &'static str = "test.spanned";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(20)).max_attempts(3);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let pool = ctx.state::<PgPool>();
        let runs = "with run as (
                        insert into span (name, key, began, nap, ended)
                        select $1, $2, clock_timestamp(), pg_sleep($3)::text, clock_timestamp()
                    )
                    select count(*) from span where name = $1";
        let before: i64 =
            sqlx::query_scalar(runs).bind(&self.name).bind(&self.key).bind(self.nap_s).fetch_one(&*pool).await?;
        match self.act {
            Act::Fail => Err(JobError::retry("told to fail")),
            Act::FailBefore(attempt) if ctx.attempt() < attempt => Err(JobError::retry("told to fail")),
            Act::SnoozeOnce(delay) if before == 0 => Err(JobError::Snooze(delay)),
            _ => Ok(()),
        }
    }
}

pub(super) fn spanned(name: impl Into<String>, key: impl Into<String>, nap_s: f64, act: Act) -> NewJob {
    NewJob::of(&Spanned { name: name.into(), key: key.into(), nap_s, act }).unwrap()
}

pub(super) async fn database() -> PgPool {
    let pool = Database::create().await.pool(80).await;
    let table = "create table span (name text, key text, began timestamptz, nap text, ended timestamptz)";
    sqlx::query(table).execute(&pool).await.unwrap();
    pool
}

/// A worker that knows [`Spanned`].
pub(super) async fn start(pool: &PgPool, configure: impl FnOnce(&mut ChildConfig)) -> Worker {
    Worker::start_with(pool, |config| {
        let registry = std::mem::replace(&mut config.consumer.registry, Registry::new());
        config.consumer.registry = registry.job::<Spanned>().state(std::sync::Arc::new(pool.clone()));
        configure(config);
    })
    .await
}

/// Stops the workers once nothing is left to run; then no place is taken, and the counts are right.
pub(super) async fn finish(pool: &PgPool, workers: Vec<Worker>) {
    waits_for(|| async { (count(pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    for worker in workers {
        worker.stop().await;
    }
    nothing_is_held(pool).await;
    is_exact(pool).await;
}

/// The places that are taken now, of all keys.
pub(super) const HELD: &str = "select (select coalesce(sum(running), 0) from queue.limit_key)
                                     - (select coalesce(sum(jobs), 0) from queue.limit_free)";

pub(super) async fn nothing_is_held(pool: &PgPool) {
    assert_eq!(count(pool, HELD).await, 0);
    assert_eq!(count(pool, "select coalesce(sum(running), 0) from queue.queue_control").await, 0);
}

/// The most runs of a key at once, or of all keys together.
pub(super) async fn at_once(pool: &PgPool, by_key: bool) -> i64 {
    let most = "select max(runs) from (
                    select (
                               select count(*)
                                 from span as other
                                where other.began <= span.began and other.ended > span.began
                                  and (other.key = span.key or not $1)
                           ) as runs
                      from span
                ) as moments";
    sqlx::query_scalar(most).bind(by_key).fetch_one(pool).await.unwrap()
}

async fn rule(pool: &PgPool, running_max: Option<i32>, rate: Option<(f64, f64)>) {
    let rule = "insert into queue.limit_rule (name, running_max, rate_per_s, burst, changed_at)
                values ('few', $1, $2, $3, now())";
    let (rate_per_s, burst) = rate.unzip();
    sqlx::query(rule).bind(running_max).bind(rate_per_s).bind(burst).execute(pool).await.unwrap();
}

#[tokio::test]
async fn no_key_has_more_than_its_number_at_once() {
    let pool = database().await;
    rule(&pool, Some(3), None).await;
    let job = |n: usize| {
        spanned(n.to_string(), format!("k{}", n % 20), 0.005, Act::FailBefore(1 + u32::from(n.is_multiple_of(7))))
    };
    let jobs: Vec<_> = (0..300).map(|n| job(n).limit("few", format!("k{}", n % 20))).collect();
    enqueue(&pool, &jobs).await;
    let workers = vec![start(&pool, |_| {}).await, start(&pool, |_| {}).await, start(&pool, |_| {}).await];
    finish(&pool, workers).await;
    let most = at_once(&pool, true).await;
    assert!((2..=3).contains(&most), "{most} at once");
    assert!(at_once(&pool, false).await > 3, "the keys do not wait for each other");
    assert_eq!(count(&pool, "select count(distinct name) from span").await, 300);
}

/// Jobs of 100 tokens at 50 a second, of which 10 are there at the beginning.
async fn a_hundred_tokens(weight: u16) {
    let pool = database().await;
    rule(&pool, None, Some((50.0, 10.0))).await;
    let job = |n: i32| spanned(n.to_string(), "k", 0.0, Act::Succeed).limit("few", "k").weight(weight);
    enqueue(&pool, &(0..100 / i32::from(weight)).map(job).collect::<Vec<_>>()).await;
    // Whose heartbeats do not help: each token is waited for by itself.
    let silent = |config: &mut ChildConfig| config.consumer.heartbeat = Duration::from_secs(2_000);
    finish(&pool, vec![start(&pool, silent).await]).await;
    let worst = "select max((later.number - one.number + 1) * $1
                            - 50 * extract(epoch from later.started_at - one.started_at)::float8)
                   from (select started_at, row_number() over (order by started_at) as number
                           from queue.job_history) as one
                   join (select started_at, row_number() over (order by started_at) as number
                           from queue.job_history) as later on later.number >= one.number";
    let worst: f64 = sqlx::query_scalar(worst).bind(f64::from(weight)).fetch_one(&pool).await.unwrap();
    assert!(worst <= 10.0 + 1e-3, "{worst} tokens in a window beyond its rate");
    let took = "select extract(epoch from max(started_at) - min(started_at))::float8 from queue.job_history";
    let took_s: f64 = sqlx::query_scalar(took).fetch_one(&pool).await.unwrap();
    assert!((1.75..4.0).contains(&took_s), "90 tokens at 50 a second took {took_s} s");
}

#[tokio::test]
async fn a_key_begins_no_more_than_its_rate_and_burst_allow_and_no_less() {
    a_hundred_tokens(1).await;
}

#[tokio::test]
async fn a_job_waits_for_as_many_tokens_as_it_weighs() {
    a_hundred_tokens(5).await;
}

#[tokio::test]
async fn several_workers_share_a_rate() {
    let pool = database().await;
    rule(&pool, Some(4), Some((100.0, 5.0))).await;
    let weight = |n: i32| 1 + (n % 3) as u16;
    let job = |n: i32| spanned(n.to_string(), "k", 0.0, Act::Succeed).limit("few", "k").weight(weight(n));
    enqueue(&pool, &(0..90).map(job).collect::<Vec<_>>()).await;
    let workers = vec![start(&pool, |_| {}).await, start(&pool, |_| {}).await, start(&pool, |_| {}).await];
    finish(&pool, workers).await;
    // A job that carries its weight in its name: 1 to 3, in turn.
    let worst = "with run as (
                     select started_at, 1 + (payload ->> 'name')::integer % 3 as weight from queue.job_history
                 ), spent as (
                     select started_at, weight, sum(weight) over (order by started_at rows unbounded preceding) as spent
                       from run
                 )
                 select max(later.spent - one.spent + one.weight
                            - 100 * extract(epoch from later.started_at - one.started_at))::float8
                   from spent as one
                   join spent as later on later.started_at >= one.started_at";
    let worst: f64 = sqlx::query_scalar(worst).fetch_one(&pool).await.unwrap();
    assert!(worst <= 5.0 + 1e-3, "{worst} tokens in a window beyond its rate");
    assert!(at_once(&pool, true).await <= 4);
}

#[tokio::test]
async fn a_key_with_few_jobs_does_not_wait_for_one_with_many() {
    let pool = database().await;
    rule(&pool, Some(10), None).await;
    let of = |key: &'static str, number: usize| {
        (0..number).map(move |n| spanned(format!("{key}{n}"), key, 0.0, Act::Succeed).limit("few", key))
    };
    enqueue(&pool, &of("many", 1_000).chain(of("small", 5)).collect::<Vec<_>>()).await;
    finish(&pool, vec![start(&pool, |_| {}).await, start(&pool, |_| {}).await]).await;
    let before = "select count(*) from span
                   where key = 'many' and began < (select max(began) from span where key = 'small')";
    let before = count(&pool, before).await;
    assert!(before < 150, "{before} of the many went first");
}

#[tokio::test]
async fn a_queue_has_no_more_than_its_number_at_once() {
    let pool = database().await;
    rule(&pool, Some(4), None).await;
    let limit = "insert into queue.queue_control (queue, running_max) values ('test', 5)";
    sqlx::query(limit).execute(&pool).await.unwrap();
    let job = |n: usize| spanned(n.to_string(), "k", 0.003, Act::FailBefore(1 + u32::from(n.is_multiple_of(9))));
    let jobs = (0..200).map(|n| match n % 4 {
        0 => job(n).limit("few", format!("k{}", n % 3)),
        1 => job(n).sequence(format!("s{}", n % 5)),
        _ => job(n),
    });
    enqueue(&pool, &jobs.collect::<Vec<_>>()).await;
    let workers = vec![start(&pool, |_| {}).await, start(&pool, |_| {}).await, start(&pool, |_| {}).await];
    finish(&pool, workers).await;
    let most = at_once(&pool, false).await;
    assert!((3..=5).contains(&most), "{most} at once");
}

#[tokio::test]
async fn places_of_a_dead_process_are_free_again() {
    let pool = database().await;
    rule(&pool, Some(3), None).await;
    let limit = "insert into queue.queue_control (queue, running_max) values ('test', 5)";
    sqlx::query(limit).execute(&pool).await.unwrap();
    let jobs: Vec<_> = (0..6).map(|n| told(&n.to_string(), Act::Wait).limit("few", "k")).collect();
    enqueue(&pool, &jobs).await;
    let mut dead = start(&pool, |config| config.consumer.heartbeat = Duration::from_secs(2_000)).await;
    dead.next_names(3).await;
    assert_eq!(count(&pool, HELD).await, 3);
    lease::release(&mut pool.acquire().await.unwrap(), 0, dead.process).await.unwrap();
    nothing_is_held(&pool).await;
    dead.abandon();
    let mut heir = start(&pool, |_| {}).await;
    heir.next_names(3).await;
    heir.stage.gate.add_permits(6);
    heir.next_names(3).await;
    finish(&pool, vec![heir]).await;
}

#[tokio::test]
async fn a_job_of_an_undeclared_limit_waits_for_it_to_be_declared() {
    let pool = database().await;
    let limited = enqueue(&pool, &[spanned("a", "k", 0.0, Act::Succeed).limit("few", "k")]).await[0];
    let worker = start(&pool, |_| {}).await;
    let free = enqueue(&pool, &[spanned("b", "k", 0.0, Act::Succeed)]).await[0];
    reaches(&pool, free, JobState::Succeeded).await;
    assert_eq!(count(&pool, "select count(*) from queue.job where state = 3").await, 1);
    rule(&pool, Some(1), None).await;
    reaches(&pool, limited, JobState::Succeeded).await;
    finish(&pool, vec![worker]).await;
}

#[tokio::test]
async fn a_job_of_a_flow_takes_a_place_once_it_is_unblocked() {
    let pool = database().await;
    rule(&pool, Some(2), None).await;
    let worker = start(&pool, |config| config.consumer.heartbeat = Duration::from_secs(2_000)).await;
    let mut flow = Flow::new();
    let first = flow.add(spanned("first", "first", 0.0, Act::Succeed));
    for n in 0..20 {
        let node = flow.add(spanned(n.to_string(), "k", 0.001, Act::Succeed).limit("few", "k"));
        flow.after(node, &[first]);
    }
    enqueue_flow(&pool, flow).await;
    finish(&pool, vec![worker]).await;
    assert!(at_once(&pool, true).await <= 2);
    assert_eq!(count(&pool, "select count(*) from span").await, 21);
}

#[tokio::test]
async fn places_given_back_by_keys_that_nobody_claims_of_are_swept_up() {
    let pool = database().await;
    rule(&pool, Some(1), None).await;
    let jobs: Vec<_> =
        (0..50).map(|n| spanned(n.to_string(), "k", 0.0, Act::Succeed).limit("few", format!("k{n}"))).collect();
    enqueue(&pool, &jobs).await;
    let worker = start(&pool, |_| {}).await;
    waits_for(|| async { (count(&pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    assert_eq!(count(&pool, "select sum(jobs) from queue.limit_free").await, 50);
    // A lost lease is cleared up at once, and the sweep goes with it.
    let lost = "insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
                values (gen_random_uuid(), 1, 'h', '{}', now(), now(), now() - '1 hour'::interval)";
    sqlx::query(lost).execute(&pool).await.unwrap();
    waits_for(|| async { (count(&pool, "select count(*) from queue.limit_free").await == 0).then_some(()) }).await;
    assert_eq!(count(&pool, "select sum(running) from queue.limit_key").await, 0);
    finish(&pool, vec![worker]).await;
}
