//! Flows: jobs that wait for others, what becomes of them, and what a flow may not be.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use queue::flow::{FLOW_JOBS_MAX, FLOW_LINKS_MAX, Node, unblock};
use queue::inspect::JobState;
use queue::{Flow, FlowEnqueued, FlowError, Job, JobContext, JobError, NewJob, Registry, Unique};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::support::{Act, Worker, count, enqueue, find, reaches, told, waits_for};

/// Enqueues a flow in a transaction of its own.
pub(super) async fn enqueue_flow(pool: &PgPool, flow: Flow) -> FlowEnqueued {
    let mut tx = pool.begin().await.unwrap();
    let enqueued = flow.enqueue(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    enqueued
}

/// Tells waiting jobs until there is nothing more to tell; returns how many were unblocked and cancelled.
pub(super) async fn unblock_all(pool: &PgPool) -> (u64, u64) {
    let (mut conn, mut told) = (pool.acquire().await.unwrap(), (0, 0));
    loop {
        let round = unblock(&mut conn, 0).await.unwrap();
        if round.steps == 0 {
            return told;
        }
        told = (told.0 + round.unblocked, told.1 + round.cancelled);
    }
}

/// The counts are what counting would give, and nothing is left of links.
pub(super) async fn is_exact(pool: &PgPool) {
    let mut tx = pool.begin().await.unwrap();
    sqlx::raw_sql("set transaction isolation level repeatable read").execute(&mut *tx).await.unwrap();
    let counted: Vec<(String, i32, i64)> = sqlx::query_as(
        "select queue, state::integer, count(*) from queue.job group by queue, state
          union all
         select queue, state::integer, count(*) from queue.job_history group by queue, state
          union all
         select queue, 7, count(*) from queue.dead_job group by queue",
    )
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let counted: HashMap<(String, i32), i64> = counted.into_iter().map(|(q, state, n)| ((q, state), n)).collect();
    for counts in queue::counters::counts(&mut tx, 0).await.unwrap() {
        let kept = [
            counts.scheduled,
            counts.ready,
            counts.running,
            counts.waiting,
            counts.succeeded,
            counts.discarded,
            counts.cancelled,
            counts.dead,
        ];
        for (state, kept) in (0..).zip(kept) {
            let counted = counted.get(&(counts.queue.clone(), state)).copied().unwrap_or_default();
            assert_eq!(kept, counted, "state {state} of {}", counts.queue);
        }
    }
}

async fn nothing_is_left(pool: &PgPool) {
    is_exact(pool).await;
    assert_eq!(count(pool, "select count(*) from queue.dependency").await, 0);
    assert_eq!(count(pool, "select count(*) from queue.ended").await, 0);
}

fn named(name: &str) -> NewJob {
    told(name, Act::Succeed)
}

#[tokio::test]
async fn a_diamond_runs_from_top_to_bottom() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start(&pool).await;
    let mut flow = Flow::new();
    let [top, left, right, bottom] = ["top", "left", "right", "bottom"].map(|name| flow.add(named(name)));
    flow.after(left, &[top]).after(right, &[top]).after(bottom, &[left, right]);
    let enqueued = enqueue_flow(&pool, flow).await;
    let names = worker.next_names(4).await;
    assert_eq!((names[0].as_str(), names[3].as_str()), ("top", "bottom"));
    reaches(&pool, enqueued.id(bottom), JobState::Succeeded).await;
    worker.stop().await;
    nothing_is_left(&pool).await;
}

#[tokio::test]
async fn a_thousand_jobs_fan_out_and_in() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start(&pool).await;
    let mut flow = Flow::new();
    let first = flow.add(told("first", Act::Wait));
    let many: Vec<_> = (0..1_000).map(|n| flow.add(named(&n.to_string()))).collect();
    for node in &many {
        flow.after(*node, &[first]);
    }
    let last = flow.add(named("last"));
    flow.after(last, &many);
    let enqueued = enqueue_flow(&pool, flow).await;
    assert_eq!(worker.next().await.name, "first");
    assert_eq!(count(&pool, "select count(*) from queue.job where state = 3").await, 1_001);
    worker.stage.gate.add_permits(1);
    let names = worker.next_names(1_001).await;
    assert_eq!(names[1_000], "last");
    reaches(&pool, enqueued.id(last), JobState::Succeeded).await;
    worker.stop().await;
    nothing_is_left(&pool).await;
}

#[tokio::test]
async fn the_callback_of_a_group_runs_whatever_became_of_its_members() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start(&pool).await;
    let acts = [Act::Succeed, Act::Fail, Act::Discard, Act::Cancel, Act::Panic];
    let mut flow = Flow::new();
    let group = flow.group(acts.map(|act| told("member", act)), named("callback"));
    let enqueued = enqueue_flow(&pool, flow).await;
    reaches(&pool, enqueued.id(group.callback), JobState::Succeeded).await;
    let mut ends = Vec::new();
    for member in &group.members {
        ends.push(find(&pool, enqueued.id(*member)).await.state);
    }
    use JobState::{Cancelled, Dead, Discarded, Succeeded};
    assert_eq!(ends, [Succeeded, Dead, Discarded, Cancelled, Dead]);
    let names = worker.next_names(3 + 2 * 3 + 1).await;
    assert_eq!(names.last().unwrap(), "callback");
    worker.stop().await;
    nothing_is_left(&pool).await;
}

#[tokio::test]
async fn an_end_without_success_cancels_what_waits_for_it_and_what_waits_for_that() {
    for (act, end) in [(Act::Fail, "died"), (Act::Discard, "was discarded"), (Act::Cancel, "was cancelled")] {
        let pool = Database::create().await.pool(20).await;
        let worker = Worker::start(&pool).await;
        let mut flow = Flow::new();
        let [first, second, third, after] = flow
            .chain([told("first", act), named("second"), named("third")])
            .into_iter()
            .chain([flow.add(named("after"))])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        flow.after_any_outcome(after, &[third]);
        let enqueued = enqueue_flow(&pool, flow).await;
        reaches(&pool, enqueued.id(after), JobState::Succeeded).await;
        for (node, cause, end) in [(second, first, end), (third, second, "was cancelled")] {
            let job = find(&pool, enqueued.id(node)).await;
            let error = format!("the job {}, which it waited for, {end}", enqueued.id(cause));
            assert_eq!((job.state, job.attempt, &job.errors[0].error), (JobState::Cancelled, 0, &error));
        }
        worker.stop().await;
        nothing_is_left(&pool).await;
    }
}

#[tokio::test]
async fn a_chain_runs_in_its_order_and_retries_hold_it_up() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start(&pool).await;
    let mut flow = Flow::new();
    let jobs = (0..20).map(|n| told(&format!("{n:02}"), if n == 7 { Act::FailBefore(3) } else { Act::Succeed }));
    let nodes = flow.chain(jobs);
    let enqueued = enqueue_flow(&pool, flow).await;
    reaches(&pool, enqueued.id(nodes[19]), JobState::Succeeded).await;
    let names = worker.next_names(22).await;
    assert!(names.is_sorted(), "{names:?}");
    worker.stop().await;
    nothing_is_left(&pool).await;
}

#[tokio::test]
async fn a_flow_that_is_rolled_back_leaves_nothing() {
    let pool = Database::create().await.pool(5).await;
    let before = enqueue(&pool, &[named("before")]).await[0];
    let mut flow = Flow::new();
    let nodes = flow.chain([named("a"), named("b")]);
    flow.after_existing(nodes[0], before);
    let mut tx = pool.begin().await.unwrap();
    flow.enqueue(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 1);
    assert_eq!(count(&pool, "select count(*) from queue.job where has_dependants").await, 0);
    nothing_is_left(&pool).await;
}

/// A job that enqueues a flow of two, and then fails as long as the attempt is below this.
#[derive(Debug, Serialize, Deserialize)]
struct Spawns(u32);

impl Job for Spawns {
    const KIND: &'static str = "test.spawns";
    const QUEUE: &'static str = super::support::QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let mut flow = Flow::new();
        let nodes = flow.chain([named("a"), named("b")]);
        // The job itself may be waited for as well.
        flow.after_existing(nodes[0], ctx.id());
        ctx.enqueue_flow(flow).await?;
        if ctx.attempt() < self.0 { Err(JobError::retry_after("told to fail", Duration::ZERO)) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_running_job_enqueues_a_flow_if_it_succeeds() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start_with(&pool, |config| {
        let registry = std::mem::replace(&mut config.consumer.registry, Registry::new());
        config.consumer.registry = registry.job::<Spawns>();
    })
    .await;
    let id = enqueue(&pool, &[NewJob::of(&Spawns(2)).unwrap()]).await[0];
    assert_eq!(worker.next_names(2).await, ["a", "b"]);
    let children = "select count(*) from queue.job_history where parent is not null and state = 4";
    waits_for(|| async { (count(&pool, children).await == 2).then_some(()) }).await;
    assert_eq!(count(&pool, "select count(distinct parent) from queue.job_history").await, 1);
    assert_eq!(find(&pool, id).await.attempt, 2, "the first attempt was rolled back with its flow");
    assert!(!worker.has_more());
    worker.stop().await;
    nothing_is_left(&pool).await;
}

#[tokio::test]
async fn an_unblocked_job_is_as_its_options_say() {
    let pool = Database::create().await.pool(5).await;
    let mut flow = Flow::new();
    let first = flow.add(named("first"));
    let later = flow.add(named("later").delay(Duration::from_secs(3_600)));
    let limited = flow.add(named("limited").limit("few", "k"));
    let ready = flow.add(named("ready"));
    let twice = flow.add(named("twice"));
    flow.after(later, &[first]).after(limited, &[first]).after(ready, &[first]).after(twice, &[first, ready]);
    let enqueued = enqueue_flow(&pool, flow).await;
    let before: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()").fetch_one(&pool).await.unwrap();
    end(&pool, enqueued.id(first), 4).await;
    assert_eq!(unblock_all(&pool).await, (3, 0));
    let state = async |node| -> (i16, i16, bool) {
        let state = "select state, waits_for, run_at > $2 from queue.job where id = $1";
        sqlx::query_as(state).bind(enqueued.id(node)).bind(before).fetch_one(&pool).await.unwrap()
    };
    assert_eq!(state(later).await, (0, 0, true));
    assert_eq!(state(limited).await, (3, 0, true));
    assert_eq!(state(ready).await, (1, 0, true));
    assert_eq!(state(twice).await, (3, 1, false));
    let due: DateTime<Utc> = find(&pool, enqueued.id(later)).await.run_at;
    assert!(due > find(&pool, enqueued.id(ready)).await.run_at + Duration::from_secs(3_000));
}

/// Ends a live job as a settle does.
pub(super) async fn end(pool: &PgPool, id: Uuid, state: i16) {
    let mut tx = pool.begin().await.unwrap();
    let claim = "with claimed as (
                     update queue.job set state = 1, owner = gen_random_uuid(), epoch = epoch + 1, claimed_at = now()
                      where id = $1 returning owner, epoch, queue
                 ), counted as (
                     insert into queue.counter_change (queue, ready, running) select queue, -1, 1 from claimed
                 )
                 select owner, epoch from claimed";
    let (owner, epoch): (Uuid, i32) = sqlx::query_as(claim).bind(id).fetch_one(&mut *tx).await.unwrap();
    let failure = (state != 4).then(|| r#"{"error":"told to end"}"#.to_owned());
    let reason = (state == 7).then_some("exhausted");
    settle(&mut tx, id, epoch, owner, state, failure, reason).await;
    tx.commit().await.unwrap();
}

/// The settling statement itself, with the time of the claim from the row, if it can be seen.
pub(super) async fn settle(
    conn: &mut sqlx::PgConnection,
    id: Uuid,
    epoch: i32,
    owner: Uuid,
    state: i16,
    failure: Option<String>,
    detail: Option<&str>,
) {
    let claimed_at: Option<Option<DateTime<Utc>>> =
        sqlx::query_scalar("select claimed_at from queue.job where id = $1")
            .bind(id)
            .fetch_optional(&mut *conn)
            .await
            .unwrap();
    sqlx::query(include_str!("../../../queue/src/settle/any.sql"))
        .bind(0_i16)
        .bind(vec![id])
        .bind(vec![epoch])
        .bind(vec![owner])
        .bind(vec![state])
        .bind(vec![None::<f64>])
        .bind(vec![false])
        .bind(vec![failure])
        .bind(vec![detail])
        .bind(vec![claimed_at.flatten()])
        .execute(conn)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_job_of_the_same_key_takes_the_place_of_a_node() {
    let pool = Database::create().await.pool(5).await;
    let there = enqueue(&pool, &[named("there").unique("k", Unique::WhileLive)]).await[0];
    let mut flow = Flow::new();
    let first = flow.add(named("first"));
    let same = flow.add(named("same").unique("k", Unique::WhileLive));
    let last = flow.add(named("last"));
    flow.after(same, &[first]).after(last, &[same]);
    let enqueued = enqueue_flow(&pool, flow).await;
    assert_eq!((enqueued.id(same), enqueued.created.as_slice()), (there, [true, false, true].as_slice()));
    assert_eq!(find(&pool, there).await.state, JobState::Ready, "it waits for nothing new");
    end(&pool, there, 4).await;
    assert_eq!(unblock_all(&pool).await, (1, 0));
    assert_eq!(find(&pool, enqueued.id(last)).await.state, JobState::Ready);
    nothing_is_left(&pool).await;
}

fn add(flow: &mut Flow, number: usize, option: fn(NewJob) -> NewJob) -> Vec<Node> {
    (0..number).map(|_| flow.add(option(named("n")))).collect()
}

#[test]
fn each_mistake_has_its_name() {
    type Mistake = (&'static str, fn(&mut Flow));
    let table: [Mistake; 8] = [
        ("TooManyJobs", |flow| drop(add(flow, FLOW_JOBS_MAX + 1, |job| job))),
        ("TooManyLinks", |flow| {
            let nodes = add(flow, 100 + FLOW_LINKS_MAX / 100 + 1, |job| job);
            for child in &nodes[100..] {
                flow.after(*child, &nodes[..100]);
            }
        }),
        ("UnknownNode", |flow| {
            let other = Flow::new().add(named("other"));
            let node = flow.add(named("n"));
            flow.after(node, &[other]);
        }),
        ("SeveralShards", |flow| drop((add(flow, 1, |job| job), add(flow, 1, |job| job.shard(1))))),
        ("DuplicateId", |flow| drop(add(flow, 2, |job| job.id(Uuid::nil())))),
        ("DuplicateId", |flow| {
            let node = flow.add(named("n").id(Uuid::nil()));
            flow.after_existing(node, Uuid::nil());
        }),
        ("DuplicateKey", |flow| drop(add(flow, 2, |job| job.unique("k", Unique::UntilStarted)))),
        ("Cycle", |flow| {
            let nodes = flow.chain((0..3).map(|_| named("n")));
            flow.after(nodes[0], &[nodes[2]]);
        }),
    ];
    for (name, make) in table {
        let mut flow = Flow::new();
        make(&mut flow);
        let error = flow.check().unwrap_err();
        assert!(format!("{error:?}").starts_with(name), "{error:?} is not {name}");
    }
}

#[tokio::test]
async fn a_job_that_never_was_cannot_be_waited_for() {
    let pool = Database::create().await.pool(5).await;
    let mut flow = Flow::new();
    let node = flow.add(named("n"));
    flow.after_existing(node, Uuid::nil());
    let mut tx = pool.begin().await.unwrap();
    let error = flow.enqueue(&mut tx).await.unwrap_err();
    assert!(matches!(error, FlowError::NotFound(id) if id == Uuid::nil()));
}
