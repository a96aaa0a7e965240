//! What operators do to jobs that do not run, with its audit, and what they are refused.

use std::time::Duration;

use chrono::DateTime;
use queue::control::{self, Answer, Control, ControlError, Filter, LimitRule, Select};
use queue::counters::counts;
use queue::inspect::JobState;
use queue::{NewJob, Priority, Unique};
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::support::{Act, QUEUE, Worker, count, enqueue, find, reaches, told};

const HOUR: Duration = Duration::from_secs(3_600);

/// Who does it, in the tests.
pub(super) const ACTOR: &str = "operator:ada";

/// Does one thing as the operator.
macro_rules! operate {
    ($pool:expr, $method:ident $(, $argument:expr)*) => {{
        let mut conn = $pool.acquire().await.unwrap();
        let mut control = queue::control::Control::new(&mut conn, 0, super::control::ACTOR).unwrap();
        control.$method($($argument),*).await.unwrap()
    }};
}
pub(super) use operate;

/// Each queue's live counts are what counting its rows says, and the finished ones too.
pub(super) async fn assert_counters_hold(pool: &PgPool) {
    let by_counter = counts(&mut pool.acquire().await.unwrap(), 0).await.unwrap();
    let live = "select queue, count(*) filter (where state = 0 and owner is null), count(*) filter (where state = 1 and owner is null),
                       count(*) filter (where owner is not null), count(*) filter (where state = 3 and owner is null),
                       (select count(*) from queue.job_history as ended where ended.queue = named.queue and ended.state = 6),
                       (select count(*) from queue.job_history as ended where ended.queue = named.queue and ended.state = 4)
                  from (select unnest($1::text[]) as queue) as named
                  left join queue.job using (queue)
                 group by queue
                 order by queue";
    let queues: Vec<&str> = by_counter.iter().map(|one| one.queue.as_str()).collect();
    let by_rows: Vec<(String, i64, i64, i64, i64, i64, i64)> =
        sqlx::query_as(live).bind(&queues).fetch_all(pool).await.unwrap();
    let counted = |one: &queue::counters::QueueCounts| {
        let queue = one.queue.clone();
        (queue, one.scheduled, one.ready, one.running, one.waiting, one.cancelled, one.succeeded)
    };
    assert_eq!(by_counter.iter().map(counted).collect::<Vec<_>>(), by_rows);
    let uncounted = "select count(*) from queue.job where queue <> all (array(select queue from queue.counter
                     union all select queue from queue.counter_change))";
    assert_eq!(count(pool, uncounted).await, 0);
    // What each key holds is what its jobs hold.
    let held = "select count(*)
                  from queue.limit_key
                 where running - (
                           select coalesce(sum(jobs), 0)
                             from queue.limit_free as free
                            where free.name = limit_key.name and free.key = limit_key.key
                       ) <> (
                           select count(*)
                             from queue.job
                            where limit_name = name and limit_key = key
                              and (owner is not null and held & 2 > 0 or is_sequence and held >= 2)
                       )";
    assert_eq!(count(pool, held).await, 0);
}

fn numbers(answer: &Answer) -> (u64, u64, u64, bool) {
    (answer.matched, answer.changed, answer.skipped(), answer.has_more)
}

async fn make_dead(pool: &PgPool, jobs: &[NewJob]) -> Vec<Uuid> {
    let ids = enqueue(pool, jobs).await;
    let worker = Worker::start(pool).await;
    for id in &ids {
        reaches(pool, *id, JobState::Dead).await;
    }
    worker.stop().await;
    ids
}

#[tokio::test]
async fn each_action_does_what_it_says_and_leaves_its_row_in_the_audit() {
    let pool = Database::create().await.pool(10).await;
    let jobs: Vec<NewJob> = (0..6).map(|n| told(&n.to_string(), Act::Succeed).delay(HOUR)).collect();
    let ids = enqueue(&pool, &jobs).await;
    let dead = make_dead(&pool, &[told("dead", Act::Fail)]).await;
    let one = |index: usize| Select::from(ids[index]);
    let later = DateTime::from_timestamp(4_000_000_000, 0).unwrap();

    assert_eq!(numbers(&operate!(pool, retry_now, &one(0))), (1, 1, 0, false));
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Ready);
    assert_eq!(numbers(&operate!(pool, reschedule, &one(0), later)), (1, 1, 0, false));
    let rescheduled = find(&pool, ids[0]).await;
    assert_eq!((rescheduled.state, rescheduled.run_at), (JobState::Scheduled, later));
    assert_eq!(numbers(&operate!(pool, prioritise, &one(1), Priority::URGENT)), (1, 1, 0, false));
    assert_eq!(find(&pool, ids[1]).await.priority, 0);
    assert_eq!(numbers(&operate!(pool, cancel, &one(2))), (1, 1, 0, false));
    let cancelled = find(&pool, ids[2]).await;
    assert_eq!((cancelled.state, cancelled.errors.len()), (JobState::Cancelled, 1));
    assert_eq!(cancelled.errors[0].error, "cancelled by operator:ada");
    assert_eq!(numbers(&operate!(pool, delete, &one(3))), (1, 1, 0, false));
    assert_eq!(queue::inspect::find(&mut pool.acquire().await.unwrap(), 0, ids[3]).await.unwrap(), None);
    assert_eq!(numbers(&operate!(pool, redrive, &Select::from(dead[0]))), (1, 1, 0, false));
    let redriven = find(&pool, dead[0]).await;
    assert_eq!((redriven.state, redriven.attempt, redriven.errors.len()), (JobState::Ready, 0, 3));
    // What is already so, or gone, is skipped.
    assert_eq!(numbers(&operate!(pool, cancel, &one(2))), (1, 0, 1, false));
    let _ = operate!(pool, pause_queue, QUEUE);
    let _ = operate!(pool, resume_queue, QUEUE);
    let _ = operate!(pool, pause_kind, "test.told");
    let _ = operate!(pool, resume_kind, "test.told");
    let _ = operate!(pool, limit_queue, QUEUE, Some(3));
    let _ = operate!(pool, set_limit, "mail", LimitRule { running_max: Some(2), rate: Some((1.0, 5.0)) });
    let _ = operate!(pool, reset_limit, "mail");
    assert_counters_hold(&pool).await;

    let expected = [
        ("reset_limit", 0),
        ("set_limit", 0),
        ("limit_queue", 0),
        ("resume_kind", 0),
        ("pause_kind", 0),
        ("resume_queue", 0),
        ("pause_queue", 0),
        ("cancel", 0),
        ("redrive", 1),
        ("delete", 1),
        ("cancel", 1),
        ("prioritise", 1),
        ("reschedule", 1),
        ("retry", 1),
    ];
    let mut conn = pool.acquire().await.unwrap();
    let all = control::audit(&mut conn, 0, None, 100).await.unwrap();
    assert!(all.iter().all(|entry| entry.actor == ACTOR));
    assert_eq!(all.iter().map(|entry| (entry.action.as_str(), entry.jobs)).collect::<Vec<_>>(), expected);
    assert_eq!(all[11].target, serde_json::json!({ "ids": [ids[1]], "ids_given": 1, "priority": 0 }));
    let page = control::audit(&mut conn, 0, Some(all[4].id), 3).await.unwrap();
    assert_eq!(page, all[5..8]);
}

#[tokio::test]
async fn a_filter_changes_ten_thousand_jobs_a_call_and_says_that_there_are_more() {
    let pool = Database::create().await.pool(10).await;
    for part in 0..3 {
        let job = |n: usize| {
            let job = told(&n.to_string(), Act::Succeed)
                .tag(if n.is_multiple_of(2) { "even" } else { "odd" })
                .actor("user:7");
            if part == 0 { job.delay(HOUR) } else { job }
        };
        enqueue(&pool, &(0..4_000).map(job).collect::<Vec<_>>()).await;
    }
    let everything = Select::from(Filter::everything());
    assert_eq!(numbers(&operate!(pool, prioritise, &everything, Priority::LOW)), (10_000, 10_000, 0, true));
    assert_eq!(numbers(&operate!(pool, prioritise, &everything, Priority::LOW)), (2_000, 2_000, 0, false));
    assert_eq!(numbers(&operate!(pool, prioritise, &everything, Priority::LOW)), (0, 0, 0, false));
    let ready = Filter { states: vec![JobState::Ready], tag: Some("odd".to_owned()), ..Filter::queue(QUEUE) };
    assert_eq!(numbers(&operate!(pool, delete, &ready.into())), (4_000, 4_000, 0, false));
    let scheduled = Filter { states: vec![JobState::Scheduled], ..Filter::kind("test.told") };
    assert_eq!(operate!(pool, retry_now, &scheduled.into()).changed, 4_000);
    let actor = Filter { actor: Some("user:7".to_owned()), ..Filter::default() };
    assert_eq!(operate!(pool, cancel, &actor.into()).changed, 8_000);
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
    assert_counters_hold(&pool).await;
    let jobs = "select sum(jobs)::bigint from queue.audit where action = 'prioritise'";
    assert_eq!(count(&pool, jobs).await, 12_000);
}

#[tokio::test]
async fn each_condition_of_a_filter_counts() {
    let pool = Database::create().await.pool(10).await;
    let parent = Uuid::now_v7();
    let marked =
        told("a", Act::Succeed).tag("t").actor("user:1").parent(parent).limit("mail", "k").priority(Priority::HIGH);
    let ids = enqueue(&pool, &[marked, told("b", Act::Succeed)]).await;
    let created = find(&pool, ids[0]).await.created_at;
    let (before, after) = (created - chrono::TimeDelta::seconds(1), created + chrono::TimeDelta::seconds(1));
    let table = [
        (Filter::queue(QUEUE), 2),
        (Filter::queue("other"), 0),
        (Filter::kind("test.told"), 2),
        (Filter::kind("test.other"), 0),
        (Filter { states: vec![JobState::Waiting], ..Filter::default() }, 1),
        (Filter { tag: Some("t".to_owned()), ..Filter::default() }, 1),
        (Filter { tag: Some("u".to_owned()), ..Filter::default() }, 0),
        (Filter { actor: Some("user:1".to_owned()), ..Filter::default() }, 1),
        (Filter { parent: Some(parent), ..Filter::default() }, 1),
        (Filter { limit: Some(("mail".to_owned(), None)), ..Filter::default() }, 1),
        (Filter { limit: Some(("mail".to_owned(), Some("other".to_owned()))), ..Filter::default() }, 0),
        (Filter { created_after: Some(after), ..Filter::default() }, 0),
        (Filter { created_before: Some(before), ..Filter::default() }, 0),
        (Filter { created_after: Some(before), created_before: Some(after), ..Filter::default() }, 2),
    ];
    for (number, (filter, expected)) in table.into_iter().enumerate() {
        // A priority that no job has yet, so that all that is found is changed.
        let priority = Priority::new(60 + number as u8).unwrap();
        let answer = operate!(pool, prioritise, &filter.clone().into(), priority);
        assert_eq!((answer.matched, answer.changed), (expected, expected), "{filter:?}");
    }
}

#[tokio::test]
async fn a_dead_letter_lives_again_unless_its_id_or_its_key_is_taken() {
    let pool = Database::create().await.pool(10).await;
    let jobs = [
        told("free", Act::FailBefore(9)),
        told("same id", Act::Fail),
        told("same key", Act::Fail),
        told("limited", Act::Fail).sequence("s"),
    ];
    let ids = make_dead(&pool, &jobs).await;
    enqueue(&pool, &[told("new", Act::Succeed).id(ids[1]).delay(HOUR)]).await;
    enqueue(&pool, &[told("new", Act::Succeed).unique("k", Unique::WhileLive).delay(HOUR)]).await;
    let take_key =
        "update queue.dead_job set unique_key = (select unique_key from queue.job where unique_key is not null)
                     where id = $1";
    sqlx::query(take_key).bind(ids[2]).execute(&pool).await.unwrap();
    let none = [
        Filter::queue("other"),
        Filter::kind("test.other"),
        Filter { tag: Some("t".to_owned()), ..Filter::default() },
        Filter { actor: Some("nobody".to_owned()), ..Filter::default() },
        Filter { parent: Some(ids[0]), ..Filter::default() },
        Filter { limit: Some(("mail".to_owned(), None)), ..Filter::default() },
        Filter { limit: Some(("sequence".to_owned(), Some("t".to_owned()))), ..Filter::default() },
        Filter { created_before: DateTime::from_timestamp(0, 0), ..Filter::default() },
        Filter { created_after: DateTime::from_timestamp(4_000_000_000, 0), ..Filter::default() },
    ];
    for filter in none {
        assert_eq!(operate!(pool, redrive, &filter.clone().into()).matched, 0, "{filter:?}");
    }
    let all = Filter { states: vec![JobState::Dead], ..Filter::queue(QUEUE) };
    assert_eq!(numbers(&operate!(pool, redrive, &all.into())), (4, 2, 2, false));
    assert_eq!(count(&pool, "select count(*) from queue.dead_job").await, 2);
    assert_counters_hold(&pool).await;
    assert_eq!(find(&pool, ids[3]).await.state, JobState::Waiting, "its sequence decides when it runs");
    // It has all its attempts again: three more errors.
    let worker = Worker::start(&pool).await;
    let again = reaches(&pool, ids[0], JobState::Dead).await;
    assert_eq!((again.attempt, again.errors.len()), (3, 6));
    worker.stop().await;
    assert_eq!(numbers(&operate!(pool, delete, &Select::Ids(vec![ids[0], ids[2]]))), (2, 2, 0, false));
    assert_eq!(queue::inspect::find(&mut pool.acquire().await.unwrap(), 0, ids[0]).await.unwrap(), None);
}

#[tokio::test]
async fn ending_a_job_frees_its_sequence() {
    let pool = Database::create().await.pool(10).await;
    let first = told("first", Act::RetryAfter(HOUR)).sequence("s");
    let ids = enqueue(&pool, &[first, told("second", Act::Succeed).sequence("s")]).await;
    let mut worker = Worker::start(&pool).await;
    worker.next().await;
    reaches(&pool, ids[0], JobState::Scheduled).await;
    assert_eq!(find(&pool, ids[1]).await.state, JobState::Waiting, "the first one keeps its place");
    let _ = operate!(pool, cancel, &ids[0].into());
    reaches(&pool, ids[1], JobState::Succeeded).await;
    worker.stop().await;
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn jobs_that_wait_for_others_leave_nothing_behind_and_are_told() {
    let pool = Database::create().await.pool(10).await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed), told("b", Act::Succeed)]).await;
    let wait = "update queue.job set state = 3, waits_for = 1 where id = $1";
    sqlx::query(wait).bind(ids[1]).execute(&pool).await.unwrap();
    sqlx::query("insert into queue.counter_change (queue, ready, waiting) values ('test', -1, 1)")
        .execute(&pool)
        .await
        .unwrap();
    let depend = "insert into queue.dependency (on_job, job, policy) values ($1, $2, 0)";
    sqlx::query(depend).bind(ids[0]).bind(ids[1]).execute(&pool).await.unwrap();
    let later = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let _ = operate!(pool, reschedule, &ids[1].into(), later);
    assert_eq!(find(&pool, ids[1]).await.state, JobState::Waiting, "it waits for the other one, and then for its time");
    let _ = operate!(pool, delete, &ids[1].into());
    assert_eq!(count(&pool, "select count(*) from queue.dependency").await, 0);
    sqlx::query("update queue.job set has_dependants = true").execute(&pool).await.unwrap();
    let _ = operate!(pool, cancel, &ids[0].into());
    let told: Vec<(Uuid, i16)> = sqlx::query_as("select id, state from queue.ended").fetch_all(&pool).await.unwrap();
    assert_eq!(told, [(ids[0], 6)]);
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn all_of_it_can_be_part_of_the_callers_transaction() {
    let pool = Database::create().await.pool(10).await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed)]).await;
    let mut tx = pool.begin().await.unwrap();
    let mut control = Control::new(&mut tx, 0, ACTOR).unwrap();
    let _ = control.cancel(&ids[0].into()).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Ready);
    assert_eq!(count(&pool, "select count(*) from queue.audit").await, 0);
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name_and_changes_nothing() {
    let pool = Database::create().await.pool(10).await;
    enqueue(&pool, &[told("a", Act::Succeed)]).await;
    let mut conn = pool.acquire().await.unwrap();
    let refused = |answer: Result<Answer, ControlError>| answer.expect_err("it is refused").to_string();
    for (actor, expected) in
        [("", "actor is empty"), ("a\0", "actor has the character '\\0', which cannot stand there")]
    {
        assert_eq!(Control::new(&mut conn, 0, actor).expect_err("it is refused").to_string(), expected);
    }
    let long = Control::new(&mut conn, 0, "x".repeat(300)).expect_err("it is refused");
    assert_eq!(long.to_string(), "actor has 300 bytes, more than 256");
    let cap = Control::new(&mut conn, 0, ACTOR).unwrap().cap(0).expect_err("it is refused");
    assert!(matches!(cap, ControlError::CapOutOfRange(0)));

    let mut control = Control::new(&mut conn, 0, ACTOR).unwrap().cap(2).unwrap();
    let injected = "test'; drop table queue.job; --";
    let meta = "has the character '\\'', which cannot stand there";
    assert_eq!(refused(control.pause_queue(injected).await), format!("queue {meta}"));
    assert_eq!(refused(control.resume_queue("a\0b").await), "queue has the character '\\0', which cannot stand there");
    assert_eq!(refused(control.pause_kind(&"k".repeat(1 << 20)).await), "kind has 1048576 bytes, more than 128");
    assert_eq!(refused(control.resume_kind("").await), "kind is empty");
    assert_eq!(refused(control.limit_queue("a", Some(u32::MAX)).await), "running_max is out of range");
    let rule = |running_max, rate| LimitRule { running_max, rate };
    let rules = [
        ("mail", rule(None, None), "the limit limits nothing"),
        ("mail", rule(Some(0), None), "running_max is out of range"),
        ("mail", rule(None, Some((0.0, 1.0))), "rate_per_s is out of range"),
        ("mail", rule(None, Some((f64::NAN, 1.0))), "rate_per_s is out of range"),
        ("mail", rule(None, Some((1.0, 0.5))), "burst is out of range"),
        ("sequence", rule(Some(2), None), "the limit of sequences cannot be changed"),
        ("mail\n", rule(Some(2), None), "limit has the character '\\n', which cannot stand there"),
    ];
    for (name, rule, expected) in rules {
        assert_eq!(refused(control.set_limit(name, rule).await), expected);
    }
    assert_eq!(refused(control.reset_limit("nobody").await), "there is no limit \"nobody\"");

    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        (Filter::default(), "a filter without a condition would touch every job; ask for everything if that is meant"),
        (Filter::queue("a b"), "queue has the character ' ', which cannot stand there"),
        (Filter { kind: text("%"), ..Filter::default() }, "kind has the character '%', which cannot stand there"),
        (Filter { tag: text("\0"), ..Filter::default() }, "tag has the character '\\0', which cannot stand there"),
        (Filter { actor: text(""), ..Filter::default() }, "actor is empty"),
        (
            Filter { limit: Some(("mail".to_owned(), text("\u{7}"))), ..Filter::default() },
            "key has the character '\\u{7}', which cannot stand there",
        ),
        (
            Filter { created_after: Some(now), created_before: Some(now), ..Filter::default() },
            "nothing was created after the one time and before the other",
        ),
        (Filter { states: vec![JobState::Succeeded], ..Filter::default() }, "cannot cancel a job that is succeeded"),
    ];
    for (filter, expected) in filters {
        assert_eq!(refused(control.cancel(&filter.into()).await), expected);
    }
    let running = Filter { states: vec![JobState::Running], ..Filter::default() };
    assert_eq!(refused(control.delete(&running.into()).await), "cannot delete a job that is running");
    assert_eq!(refused(control.cancel(&Select::Ids(vec![Uuid::nil(); 3])).await), "3 ids are more than the cap of 2");
    let far = DateTime::from_timestamp(100_000_000_000, 0).unwrap();
    let refusal = refused(control.reschedule(&Uuid::nil().into(), far).await);
    assert_eq!(refusal, "the time is not between the years 1900 and 2200");
    assert_eq!(
        control::parse_priority(100).expect_err("it is refused").to_string(),
        "the priority 100 is not between 0 and 99"
    );
    assert_eq!(control::parse_state("begun").expect_err("it is refused").to_string(), "there is no state \"begun\"");
    assert_eq!(control::parse_state("dead").unwrap(), JobState::Dead);

    // Words that look like SQL are words.
    let harmless = Filter { tag: text("'); delete from queue.job; --"), ..Filter::default() };
    assert_eq!(control.cancel(&harmless.into()).await.unwrap().matched, 0);
    assert_eq!(count(&pool, "select count(*) from queue.job where state = 1").await, 1);
    assert_eq!(count(&pool, "select count(*) from queue.audit").await, 1);
}
