//! Schedules tick once whoever fires them (I9), catch up as they promise, and obey their operator.

use chrono::{DateTime, TimeDelta, Utc};
use queue::inspect::JobState;
use queue::schedule::{self, CatchUp, Change, Overlap, Schedule, ScheduleError, SpecError, TickOutcome, TickView};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use tests::database::{Database, until_blocked};
use uuid::Uuid;

use super::support::{Act, QUEUE, Told, Worker, count, find, reaches, waits_for};

/// Ticks every hundred days.
const SELDOM: &str = "@every 100d";
const PERIOD: TimeDelta = TimeDelta::days(100);

/// A schedule of a job that does this, whose ticks are too far apart for one to come while a test runs.
fn seldom(name: &str, act: Act) -> Schedule {
    Schedule::of(name, &Told { name: name.to_owned(), act }, SELDOM).unwrap()
}

async fn make(pool: &PgPool, schedule: &Schedule) {
    schedule::create(&mut pool.acquire().await.unwrap(), schedule).await.unwrap();
}

/// Makes a schedule's next tick so many ticks earlier, as if nobody had fired them; wakes the workers.
async fn set_back(pool: &PgPool, name: &str, ticks: i32) {
    let back = "update queue.schedule set next_at = next_at - make_interval(days => 100 * $2) where name like $1";
    sqlx::query(back).bind(name).bind(ticks).execute(pool).await.unwrap();
    sqlx::query("select pg_notify('queue_wake', '')").execute(pool).await.unwrap();
}

async fn ticks(pool: &PgPool, name: &str) -> Vec<TickView> {
    schedule::ticks(&mut pool.acquire().await.unwrap(), 0, name, 1_000).await.unwrap()
}

/// Waits until so many ticks of the schedule are written; returns them, the oldest first.
async fn until_ticks(pool: &PgPool, name: &str, number: usize) -> Vec<TickView> {
    let mut found = waits_for(|| async { Some(ticks(pool, name).await).filter(|found| found.len() >= number) }).await;
    found.reverse();
    assert_eq!(found.len(), number);
    found
}

/// A worker that fires schedules, and runs none of their jobs.
async fn firer(pool: &PgPool) -> Worker {
    Worker::start_with(pool, |config| config.consumer.queues = vec!["elsewhere".to_owned()]).await
}

async fn jobs(pool: &PgPool) -> i64 {
    count(pool, "select count(*) from queue.job").await
}

async fn conn(pool: &PgPool) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    pool.acquire().await.unwrap()
}

async fn next_at(conn: &mut PgConnection, name: &str) -> DateTime<Utc> {
    schedule::get(conn, name).await.unwrap().next[0]
}

#[tokio::test]
async fn four_processes_fire_each_tick_once() {
    let database = Database::create().await;
    let pool = database.pool(10).await;
    for number in 0..40 {
        make(&pool, &seldom(&format!("s{number}"), Act::Succeed).catch_up(CatchUp::All(3))).await;
    }
    let (one, two, three, four) = tokio::join!(firer(&pool), firer(&pool), firer(&pool), firer(&pool));
    for round in 1..=2 {
        set_back(&pool, "s%", 3).await;
        let due = "select count(*) from queue.schedule where next_at <= now()";
        waits_for(|| async { (count(&pool, due).await == 0).then_some(()) }).await;
        assert_eq!(jobs(&pool).await, 120, "round {round}: the second time, they are there already");
    }
    let apart = "select count(distinct job_id) from queue.schedule_tick where outcome = 'fired'";
    assert_eq!(count(&pool, apart).await, 120);
    for worker in [one, two, three, four] {
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_kill_before_the_commit_loses_nothing_and_doubles_nothing() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(2).await);
    make(&pool, &seldom("a", Act::Succeed)).await;
    set_back(&pool, "a", 1).await;
    // Its job cannot be inserted, so the transaction that fires it waits with all else written.
    let mut gate = outside.begin().await.unwrap();
    sqlx::query("lock table queue.job in exclusive mode").execute(&mut *gate).await.unwrap();
    let worker = firer(&pool).await;
    until_blocked(&outside).await;
    let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                 where datname = current_database() and application_name = 'bitnexus queue schedule'";
    assert_eq!(count(&outside, kill).await, 1);
    assert_eq!(ticks(&outside, "a").await, [], "nothing of it was kept");
    gate.rollback().await.unwrap();
    let fired = until_ticks(&outside, "a", 1).await;
    assert_eq!(fired[0].outcome, TickOutcome::Fired);
    assert_eq!(jobs(&outside).await, 1);
    worker.stop().await;
}

#[tokio::test]
async fn what_was_missed_is_caught_up_with_as_the_policy_says() {
    let pool = Database::create().await.pool(10).await;
    let policies =
        [("none", CatchUp::None), ("last", CatchUp::Last), ("two", CatchUp::All(2)), ("all", CatchUp::All(9))];
    for (name, catch_up) in policies {
        make(&pool, &Schedule::of(name, &told(name), SELDOM).unwrap().catch_up(catch_up)).await;
    }
    let newest = next_at(&mut *conn(&pool).await, "last").await - PERIOD;
    set_back(&pool, "%", 4).await;
    let worker = firer(&pool).await;
    let before = |ticks| newest - PERIOD * ticks;
    let summary = |ticks: Vec<TickView>| -> Vec<_> {
        ticks.into_iter().map(|tick| (tick.tick_at, tick.outcome, tick.through_at)).collect()
    };
    let fired = |ticks| (before(ticks), TickOutcome::Fired, None);
    let missed = |from, through| (before(from), TickOutcome::Missed, Some(before(through)));
    assert_eq!(summary(until_ticks(&pool, "none", 1).await), [missed(3, 0)]);
    assert_eq!(summary(until_ticks(&pool, "last", 2).await), [missed(3, 1), fired(0)]);
    assert_eq!(summary(until_ticks(&pool, "two", 3).await), [missed(3, 2), fired(1), fired(0)]);
    let all = until_ticks(&pool, "all", 4).await;
    assert_eq!(summary(all.clone()), [fired(3), fired(2), fired(1), fired(0)]);
    let job = find(&pool, all[0].job_id.unwrap()).await;
    assert_eq!((job.actor.as_deref(), job.run_at, job.kind.as_str()), (Some("schedule:all"), before(3), "test.told"));
    assert_eq!(next_at(&mut *conn(&pool).await, "none").await, newest + PERIOD);
    worker.stop().await;
}

fn told(name: &str) -> Told {
    Told { name: name.to_owned(), act: Act::Succeed }
}

#[tokio::test]
async fn a_tick_that_was_fired_is_not_fired_again_though_the_schedule_is_put_back() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &seldom("a", Act::Succeed).overlap(Overlap::Replace)).await;
    set_back(&pool, "a", 1).await;
    let worker = firer(&pool).await;
    let first = until_ticks(&pool, "a", 1).await;
    set_back(&pool, "a", 1).await;
    let ahead = "select count(*) from queue.schedule where next_at > now()";
    waits_for(|| async { (count(&pool, ahead).await == 1).then_some(()) }).await;
    assert_eq!(until_ticks(&pool, "a", 1).await, first);
    assert_eq!(find(&pool, first[0].job_id.unwrap()).await.state, JobState::Ready, "and its job is not replaced");
    worker.stop().await;
}

#[tokio::test]
async fn a_skipping_schedule_waits_for_its_last_job() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &seldom("a", Act::Wait).overlap(Overlap::Skip).catch_up(CatchUp::All(2))).await;
    set_back(&pool, "a", 2).await;
    let mut worker = Worker::start(&pool).await;
    worker.next().await;
    let first = until_ticks(&pool, "a", 2).await;
    assert_eq!([first[0].outcome, first[1].outcome], [TickOutcome::Fired, TickOutcome::Skipped]);
    let by_hand = schedule::run_now(&mut *conn(&pool).await, "a").await.unwrap();
    assert_eq!((Some(by_hand.id), by_hand.created), (first[0].job_id, false), "by hand neither");
    worker.stage.gate.add_permits(2);
    reaches(&pool, by_hand.id, JobState::Succeeded).await;
    let by_hand = schedule::run_now(&mut *conn(&pool).await, "a").await.unwrap();
    assert!(by_hand.created, "it is over");
    reaches(&pool, by_hand.id, JobState::Succeeded).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_replacing_schedule_cancels_what_waits_and_what_runs() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &seldom("a", Act::Wait).overlap(Overlap::Replace)).await;
    let waiting = schedule::run_now(&mut *conn(&pool).await, "a").await.unwrap();
    set_back(&pool, "a", 2).await;
    let firing = firer(&pool).await;
    let fired = until_ticks(&pool, "a", 2).await;
    let job_id = fired[1].job_id.unwrap();
    assert_eq!([fired[0].outcome, fired[1].outcome], [TickOutcome::Missed, TickOutcome::Fired]);
    assert_eq!(find(&pool, waiting.id).await.state, JobState::Cancelled);
    firing.stop().await;
    let mut worker = Worker::start(&pool).await;
    worker.next().await;
    let by_hand = schedule::run_now(&mut *conn(&pool).await, "a").await.unwrap();
    assert!(by_hand.created && by_hand.id != job_id, "what runs is asked to end, and does not keep it waiting");
    reaches(&pool, job_id, JobState::Cancelled).await;
    assert!(find(&pool, job_id).await.errors[0].error.contains("schedule:a"));
    worker.next().await;
    sqlx::query("delete from queue.schedule_tick").execute(&pool).await.unwrap();
    set_back(&pool, "a", 1).await;
    let fired = until_ticks(&pool, "a", 1).await[0];
    reaches(&pool, by_hand.id, JobState::Cancelled).await;
    worker.stage.gate.add_permits(1);
    reaches(&pool, fired.job_id.unwrap(), JobState::Succeeded).await;
    worker.stop().await;
}

#[tokio::test]
async fn many_schedules_of_one_time_are_fired_by_a_few_commits() {
    let pool = Database::create().await.pool(10).await;
    let schedules: Vec<Schedule> = (0..250).map(|number| seldom(&format!("s{number}"), Act::Succeed)).collect();
    for schedule in &schedules {
        make(&pool, schedule).await;
    }
    // One that is not understood holds up none of the others.
    sqlx::query("update queue.schedule set time_zone = 'Mars/Olympus' where name = 's7'").execute(&pool).await.unwrap();
    set_back(&pool, "s%", 1).await;
    let worker = firer(&pool).await;
    let fired = "select count(*) from queue.schedule_tick where outcome = 'fired'";
    waits_for(|| async { (count(&pool, fired).await == 249).then_some(()) }).await;
    assert_eq!(jobs(&pool).await, 249);
    assert_eq!(count(&pool, "select count(distinct xmin::text) from queue.schedule_tick").await, 3, "one a hundred");
    assert!(schedule::get(&mut *conn(&pool).await, "s7").await.unwrap().error.is_some());
    worker.stop().await;
}

#[tokio::test]
async fn a_paused_schedule_does_not_tick_and_goes_on_from_its_resumption() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &seldom("paused", Act::Succeed).catch_up(CatchUp::All(100))).await;
    make(&pool, &seldom("other", Act::Succeed)).await;
    let ahead = next_at(&mut *conn(&pool).await, "paused").await;
    schedule::pause(&mut *conn(&pool).await, "paused").await.unwrap();
    set_back(&pool, "%", 5).await;
    let worker = firer(&pool).await;
    until_ticks(&pool, "other", 2).await;
    let view = schedule::get(&mut *conn(&pool).await, "paused").await.unwrap();
    assert_eq!((view.is_paused, view.next[0], view.next.len()), (true, ahead, 10), "what it would do");
    schedule::resume(&mut *conn(&pool).await, "paused").await.unwrap();
    assert_eq!(next_at(&mut *conn(&pool).await, "paused").await, ahead);
    assert_eq!(ticks(&pool, "paused").await, []);
    let by_hand = schedule::run_now(&mut *conn(&pool).await, "paused").await.unwrap();
    assert!(by_hand.created);
    assert_eq!(find(&pool, by_hand.id).await.actor.as_deref(), Some("schedule:paused"));
    assert_eq!(ticks(&pool, "paused").await, [], "it is no tick");
    worker.stop().await;
}

#[tokio::test]
async fn a_change_takes_effect_at_once_and_stands_against_code_until_it_is_reverted() {
    let pool = Database::create().await.pool(10).await;
    let yearly = Schedule::of("a", &told("of code"), "@yearly").unwrap();
    let declaring = |config: &mut workers::child::ChildConfig| {
        let registry = std::mem::take(&mut config.consumer.registry);
        config.consumer.registry = registry.schedule(yearly.clone());
    };
    let mut worker = Worker::start_with(&pool, declaring).await;
    let declared = "select count(*) from queue.schedule where is_declared";
    waits_for(|| async { (count(&pool, declared).await == 1).then_some(()) }).await;
    let change = Change {
        spec: Some("@every 1s".to_owned()),
        payload: Some(json!({ "name": "of an operator", "act": "Succeed" })),
        ..Change::default()
    };
    schedule::change(&mut *conn(&pool).await, "a", &change).await.unwrap();
    assert_eq!(worker.next_names(2).await, ["of an operator"; 2]);
    worker.stop().await;
    let again = schedule::declare(&mut *conn(&pool).await, std::slice::from_ref(&yearly)).await.unwrap();
    assert_eq!((again.written.len(), again.kept), (0, vec!["a".to_owned()]));
    schedule::revert(&mut *conn(&pool).await, "a").await.unwrap();
    let view = schedule::get(&mut *conn(&pool).await, "a").await.unwrap();
    assert_eq!((view.spec.as_str(), view.payload), ("@yearly", json!({ "name": "of code", "act": "Succeed" })));
    assert!(view.next[0].to_rfc3339().ends_with("-01-01T00:00:00+00:00"), "{:?}", view.next);
}

#[tokio::test]
async fn declaring_writes_what_is_new_and_reports_what_is_gone() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = conn(&pool).await;
    let (one, two, by_hand) = (seldom("one", Act::Succeed), seldom("two", Act::Succeed), seldom("hand", Act::Succeed));
    let first = schedule::declare(&mut conn, &[two.clone(), one.clone()]).await.unwrap();
    assert_eq!(first.written, ["one", "two"]);
    schedule::create(&mut conn, &by_hand).await.unwrap();
    schedule::pause(&mut conn, "one").await.unwrap();
    let changed = one.clone().overlap(Overlap::Skip);
    let second = schedule::declare(&mut conn, &[changed.clone(), by_hand.clone()]).await.unwrap();
    assert_eq!((second.written, second.kept, second.undeclared), (names("one"), names("hand"), names("two")));
    assert!(schedule::get(&mut conn, "one").await.unwrap().is_paused, "that is no matter of code");
    assert_eq!(schedule::declare(&mut conn, &[changed, two]).await.unwrap(), schedule::Declared::default());
    assert_eq!(schedule::list(&mut conn).await.unwrap().len(), 3);
    schedule::remove(&mut conn, "two").await.unwrap();
    assert!(matches!(schedule::get(&mut conn, "two").await, Err(ScheduleError::NotFound(name)) if name == "two"));
    assert!(matches!(schedule::create(&mut conn, &by_hand).await, Err(ScheduleError::Exists(name)) if name == "hand"));
}

fn names(name: &str) -> Vec<String> {
    vec![name.to_owned()]
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = conn(&pool).await;
    let spec = |spec: &str| Schedule::of("a", &told("a"), spec);
    assert!(matches!(spec("0 0 31 2 *"), Err(ScheduleError::Spec(SpecError::NeverFires(_)))));
    assert!(matches!(spec("0 25 * * *"), Err(ScheduleError::Spec(SpecError::Field { field: "hour", .. }))));
    let zone = spec("@daily").unwrap().time_zone("Mars/Olympus");
    assert!(matches!(zone, Err(ScheduleError::Spec(SpecError::TimeZone(_)))));
    let named = |name: &str| Schedule::of(name, &told("a"), "@daily");
    assert!(["", "a\nb", &"x".repeat(201)].iter().all(|name| matches!(named(name), Err(ScheduleError::Name(_)))));
    for max in [0, 1_001] {
        let refused = schedule::declare(&mut conn, &[spec("@daily").unwrap().catch_up(CatchUp::All(max))]).await;
        assert!(matches!(refused, Err(ScheduleError::CatchUp(refused)) if refused == max));
    }
    schedule::create(&mut conn, &spec("@daily").unwrap()).await.unwrap();
    let before = schedule::get(&mut conn, "a").await.unwrap();
    let changes = [
        Change { spec: Some("nonsense".to_owned()), ..Change::default() },
        Change { time_zone: Some("Nowhere".to_owned()), ..Change::default() },
        Change { catch_up: Some(CatchUp::All(0)), ..Change::default() },
        Change { catch_up: Some(CatchUp::All(u16::MAX)), ..Change::default() },
        Change { max_attempts: Some(0), ..Change::default() },
        Change { payload: Some(json!("x".repeat(queue::PAYLOAD_BYTES_MAX))), ..Change::default() },
    ];
    for change in changes {
        assert!(schedule::change(&mut conn, "a", &change).await.is_err(), "{:?}", change.spec);
    }
    assert_eq!(schedule::get(&mut conn, "a").await.unwrap(), before);
    let nobody = schedule::run_now(&mut conn, "b").await;
    assert!(matches!(nobody, Err(ScheduleError::NotFound(name)) if name == "b"));
}

#[tokio::test]
async fn one_that_cannot_be_fired_holds_up_no_other() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &seldom("broken", Act::Succeed)).await;
    make(&pool, &seldom("whole", Act::Succeed)).await;
    sqlx::query("update queue.schedule set spec = 'x' where name = 'broken'").execute(&pool).await.unwrap();
    set_back(&pool, "broken", 9).await;
    set_back(&pool, "whole", 1).await;
    let worker = firer(&pool).await;
    until_ticks(&pool, "whole", 1).await;
    let view = schedule::get(&mut *conn(&pool).await, "broken").await.unwrap();
    assert!(view.error.as_deref().is_some_and(|error| error.contains("five fields")), "{:?}", view.error);
    assert_eq!((view.next.len(), ticks(&pool, "broken").await.len()), (0, 0));
    let mend = Change { spec: Some(SELDOM.to_owned()), ..Change::default() };
    schedule::change(&mut *conn(&pool).await, "broken", &mend).await.unwrap();
    set_back(&pool, "broken", 1).await;
    assert_eq!(until_ticks(&pool, "broken", 1).await[0].outcome, TickOutcome::Fired);
    assert_eq!(schedule::get(&mut *conn(&pool).await, "broken").await.unwrap().error, None);
    worker.stop().await;
}

#[tokio::test]
async fn old_ticks_are_forgotten_with_the_history() {
    let pool = Database::create().await.pool(10).await;
    let old = "insert into queue.schedule_tick (name, tick_at, outcome, fired_at)
               select 'a', at, 'skipped', at from unnest(array[now() - interval '40 days', now() - interval '20 days']) as at";
    sqlx::query(old).execute(&pool).await.unwrap();
    let worker = firer(&pool).await;
    waits_for(|| async { (ticks(&pool, "a").await.len() == 1).then_some(()) }).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_of_a_schedule_runs_like_any_other() {
    let pool = Database::create().await.pool(10).await;
    make(&pool, &Schedule::of("a", &told("a"), "* * * * * *").unwrap().time_zone("Europe/London").unwrap()).await;
    let mut worker = Worker::start(&pool).await;
    worker.next_names(2).await;
    let all = waits_for(|| async { Some(ticks(&pool, "a").await).filter(|all| all.len() >= 2) }).await;
    let ids: Vec<Uuid> = all.iter().filter_map(|tick| tick.job_id).collect();
    assert_eq!(reaches(&pool, ids[1], JobState::Succeeded).await.queue, QUEUE);
    worker.stop().await;
}
