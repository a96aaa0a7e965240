//! What enqueueing promises its callers.

use std::time::Duration;

use chrono::DateTime;
use queue::inspect::JobState;
use queue::{EnqueueError, Enqueuer, NewJob, Notifier, PAYLOAD_BYTES_MAX, Priority, Unique, enqueue};
use sqlx::PgConnection;
use tests::database::{Database, until_blocked};
use uuid::Uuid;

use super::support::{self, Act, Told, Worker, count, find, reaches, told};

#[tokio::test]
async fn a_rolled_back_enqueue_leaves_nothing() {
    let pool = Database::create().await.pool(2).await;
    let mut tx = pool.begin().await.unwrap();
    enqueue(&mut tx, &[told("a", Act::Succeed)]).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
}

#[tokio::test]
async fn nothing_is_enqueued_from_nothing() {
    let pool = Database::create().await.pool(2).await;
    assert!(enqueue(&mut pool.acquire().await.unwrap(), &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_one_unique_key_there_is_one_live_job() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let keyed = |key: &str| told("a", Act::Succeed).unique(key, Unique::WhileLive);
    let jobs = [keyed("x"), told("free", Act::Succeed), keyed("x"), keyed("y")];
    let first = enqueue(&mut conn, &jobs).await.unwrap();
    assert_eq!(first.iter().map(|one| one.created).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(first[2].id, first[0].id, "also within one call");
    let second = enqueue(&mut conn, &[keyed("y"), keyed("z")]).await.unwrap();
    assert_eq!((second[0].created, second[0].id), (false, first[3].id));
    assert!(second[1].created);
}

#[tokio::test]
async fn of_one_id_there_is_one_live_job() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let job = told("a", Act::Succeed);
    let answers = enqueue(&mut conn, &[job.clone(), job.clone()]).await.unwrap();
    assert_eq!(answers.iter().map(|one| (one.id, one.created)).collect::<Vec<_>>(), [(job.id, true), (job.id, false)]);
}

#[tokio::test]
async fn a_rolled_back_winner_makes_no_job_vanish() {
    let pool = Database::create().await.pool(3).await;
    let keyed = || told("a", Act::Succeed).unique("x", Unique::WhileLive);
    let mut winner = pool.begin().await.unwrap();
    enqueue(&mut winner, &[keyed()]).await.unwrap();
    let loser = tokio::spawn({
        let pool = pool.clone();
        async move { enqueue(&mut pool.acquire().await.unwrap(), &[keyed()]).await.unwrap() }
    });
    super::support::waits_for(|| async {
        let waiting = "select count(*) from pg_locks where not granted and locktype = 'transactionid'";
        (count(&pool, waiting).await > 0).then_some(())
    })
    .await;
    winner.rollback().await.unwrap();
    assert!(loser.await.unwrap()[0].created, "it waited and then inserted its own");
}

#[tokio::test]
async fn a_key_until_started_is_free_while_the_job_runs() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let keyed = |unique| told("a", Act::Wait).unique("x", unique);
    let mut conn = pool.acquire().await.unwrap();
    let first = enqueue(&mut conn, &[keyed(Unique::UntilStarted)]).await.unwrap();
    worker.next().await;
    let second = enqueue(&mut conn, &[keyed(Unique::WhileLive)]).await.unwrap();
    assert!(second[0].created, "the first has been started");
    worker.next().await;
    let third = enqueue(&mut conn, &[keyed(Unique::WhileLive)]).await.unwrap();
    assert_eq!((third[0].created, third[0].id), (false, second[0].id), "the second holds its key while it runs");
    worker.stage.gate.add_permits(2);
    for one in [&first[0], &second[0]] {
        reaches(&pool, one.id, JobState::Succeeded).await;
    }
    let fourth = enqueue(&mut conn, &[told("b", Act::Succeed).unique("x", Unique::WhileLive)]).await.unwrap();
    assert!(fourth[0].created, "it is free again");
    worker.stop().await;
}

#[tokio::test]
async fn a_delayed_job_is_scheduled_and_a_past_one_is_ready() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let now: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select now()").fetch_one(&pool).await.unwrap();
    let jobs = [
        told("later", Act::Succeed).delay(Duration::from_secs(60)),
        told("past", Act::Succeed).run_at(now - Duration::from_secs(60)),
        told("future", Act::Succeed).run_at(now + Duration::from_secs(60)),
    ];
    let enqueued = enqueue(&mut conn, &jobs).await.unwrap();
    let expected = [JobState::Scheduled, JobState::Ready, JobState::Scheduled];
    for (one, state) in enqueued.iter().zip(expected) {
        assert_eq!(find(&pool, one.id).await.state, state);
    }
}

#[test]
fn a_payload_over_the_limit_is_refused_by_name() {
    let refused = NewJob::of(&Told { name: "x".repeat(PAYLOAD_BYTES_MAX), act: Act::Succeed });
    assert!(matches!(refused, Err(EnqueueError::PayloadTooLarge { kind: "test.told", .. })));
}

/// What the table says of these jobs, in their order; but for their ids, and when they came.
async fn stored(conn: &mut PgConnection, ids: &[Uuid]) -> Vec<String> {
    let rows = "
        select row (state, priority, max_attempts, weight, waits_for, is_sequence, queue, kind, limit_name, limit_key, tags, actor,
                    trace, parent, expires_at, payload::text, unique_key, version, date_trunc('minute', run_at - created_at))::text
          from unnest($1) with ordinality as ids(id, place)
          join queue.job using (id)
         order by place";
    let rows: Vec<String> = sqlx::query_scalar(rows).bind(ids).fetch_all(conn).await.unwrap();
    assert_eq!(rows.len(), ids.len());
    rows
}

#[tokio::test]
async fn a_plain_job_is_stored_in_one_way_whatever_statement_writes_it() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let make = |number: usize| {
        let job = told(&format!("it's \"{number}\""), Act::Succeed);
        match number % 3 {
            0 => job.actor("someone"),
            1 => job.trace("00-1-2-03").priority(Priority::URGENT),
            _ => job,
        }
    };
    let some = || (0..9).map(make).collect::<Vec<_>>();
    let plain = support::enqueue(&pool, &some()).await;
    // Clones are not fresh, so that a conflict is possible.
    let doubtful = support::enqueue(&pool, &some().to_vec()).await;
    let mut with_another = some();
    with_another.push(told("later", Act::Succeed).delay(Duration::from_secs(3_600)));
    let with_another = support::enqueue(&pool, &with_another).await;
    let by_copy = support::enqueue(&pool, &(0..200).map(make).collect::<Vec<_>>()).await;
    let rows = stored(&mut conn, &plain).await;
    assert_eq!(rows, stored(&mut conn, &doubtful).await);
    assert_eq!(rows, stored(&mut conn, &with_another[..9]).await);
    assert_eq!(rows, stored(&mut conn, &by_copy[..9]).await);
    let in_order = "select array_agg(id order by run_at) from queue.job where id = any ($1)";
    let in_order: Vec<Uuid> = sqlx::query_scalar(in_order).bind(&plain).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(in_order, plain, "jobs of one call keep their order");
    let counted = queue::counters::counts(&mut conn, 0).await.unwrap();
    assert_eq!((counted[0].ready, counted[0].scheduled), (9 + 9 + 9 + 200, 1));
}

#[tokio::test]
async fn an_id_that_is_said_to_be_fresh_and_is_not_makes_no_second_job() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let id = Uuid::now_v7();
    let fresh = || told("a", Act::Succeed).fresh_id(id);
    let answers = queue::enqueue(&mut conn, &[fresh()]).await.unwrap();
    assert_eq!((answers[0].id, answers[0].created, answers[0].state), (id, true, JobState::Ready));
    let refused = queue::enqueue(&mut conn, &[told("b", Act::Succeed), fresh()]).await;
    assert!(matches!(refused, Err(EnqueueError::Database(_))), "{refused:?}");
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 1);
}

#[tokio::test]
async fn a_large_bulk_is_stored_as_single_jobs_are() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let make = |number: usize| {
        let job = told(&format!("{number}"), Act::Succeed).actor("someone");
        match number % 4 {
            0 => job.tag("a \"b\" \\").tag("{c}").parent(Uuid::nil()),
            1 => job.delay(Duration::from_secs(3_600)).trace("00-1-2-03"),
            2 => job.limit("host", "example.org").weight(7).expires_at(DateTime::UNIX_EPOCH),
            _ => job.sequence("key").priority(Priority::URGENT),
        }
    };
    let bulk = support::enqueue(&pool, &(0..400).map(make).collect::<Vec<_>>()).await;
    let mut single = Vec::new();
    for number in 0..400 {
        single.extend(support::enqueue(&pool, &[make(number)]).await);
    }
    assert_eq!(stored(&mut conn, &bulk).await, stored(&mut conn, &single).await);
    let out_of_order = "select count(*) from (
        select run_at < lag(run_at) over (order by place) as is_early
          from unnest($1) with ordinality as ids(id, place) join queue.job using (id) where state = 1
    ) as pairs where is_early";
    let early: i64 = sqlx::query_scalar(out_of_order).bind(&bulk).fetch_one(&mut *conn).await.unwrap();
    assert_eq!(early, 0, "jobs of one call keep their order");
    let counted = queue::counters::counts(&mut conn, 0).await.unwrap();
    assert_eq!((counted[0].ready, counted[0].scheduled, counted[0].waiting), (200, 200, 400));
}

#[tokio::test]
async fn a_job_that_is_offered_twice_is_created_once() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let job = told("a", Act::Succeed);
    for (attempt, created) in [(1, true), (2, false)] {
        let answers = queue::enqueue(&mut conn, std::slice::from_ref(&job)).await.unwrap();
        assert_eq!((answers[0].created, answers[0].id), (created, job.id), "attempt {attempt}");
    }
    let twins = [job.clone(), told("b", Act::Succeed)];
    let answers = queue::enqueue(&mut conn, &twins).await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.created).collect::<Vec<_>>(), [false, true]);
    let twin = told("c", Act::Succeed);
    let answers = queue::enqueue(&mut conn, &[twin.clone(), twin]).await.unwrap();
    assert_eq!(answers.iter().map(|answer| answer.created).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_key_for_a_period_outlives_its_job() {
    let pool = Database::create().await.pool(4).await;
    let mut conn = pool.acquire().await.unwrap();
    let job = |name| told(name, Act::Succeed).unique("report", Unique::For(Duration::from_secs(3_600)));
    let first = enqueue(&mut conn, &[job("a"), job("b")]).await.unwrap();
    assert_eq!((first[0].created, first[1].created, first[1].id), (true, false, first[0].id));
    let worker = Worker::start(&pool).await;
    reaches(&pool, first[0].id, JobState::Succeeded).await;
    worker.stop().await;
    let again = enqueue(&mut conn, &[job("c")]).await.unwrap()[0];
    assert_eq!((again.created, again.id, again.state), (false, first[0].id, JobState::Succeeded));
    // The period is over.
    sqlx::query("update queue.unique_hold set until = now()").execute(&pool).await.unwrap();
    assert!(enqueue(&mut conn, &[job("d")]).await.unwrap()[0].created);
    // Who is about to take the key is waited for, and its rollback makes nothing vanish.
    sqlx::query("update queue.unique_hold set until = now()").execute(&pool).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    assert!(enqueue(&mut tx, &[job("e")]).await.unwrap()[0].created);
    let waiting = tokio::spawn(async move { enqueue(&mut conn, &[job("f")]).await.unwrap()[0] });
    until_blocked(&pool).await;
    tx.rollback().await.unwrap();
    assert!(waiting.await.unwrap().created);
}

#[tokio::test]
async fn a_later_job_replaces_an_earlier_one_until_it_begins() {
    let pool = Database::create().await.pool(4).await;
    let mut conn = pool.acquire().await.unwrap();
    let job = |name: &str| told(name, Act::Wait).unique("index", Unique::Replace);
    let first = enqueue(&mut conn, &[job("a").delay(Duration::from_secs(3_600))]).await.unwrap()[0];
    assert_eq!((first.created, first.state), (true, JobState::Scheduled));
    let second = enqueue(&mut conn, &[job("b")]).await.unwrap()[0];
    assert_eq!((second.created, second.id, second.state), (false, first.id, JobState::Ready));
    let mut worker = Worker::start(&pool).await;
    assert_eq!(worker.next().await.name, "b");
    let third = enqueue(&mut conn, &[job("c").delay(Duration::from_secs(3_600))]).await.unwrap()[0];
    assert!(third.created, "what comes while it runs is another job");
    worker.stage.gate.add_permits(1);
    reaches(&pool, first.id, JobState::Succeeded).await;
    let counted = queue::counters::counts(&mut conn, 0).await.unwrap();
    assert_eq!((counted[0].ready, counted[0].scheduled, counted[0].running), (0, 1, 0));
    worker.stop().await;
}

#[tokio::test]
async fn jobs_that_share_a_commit_stand_alone() {
    let pool = Database::create().await.pool(4).await;
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    let job = |number: usize| {
        let job = told(&number.to_string(), Act::Succeed);
        // One of them has a payload that the database refuses.
        if number == 7 { job.actor("nul: \0") } else { job }
    };
    let asked = (0..50).map(|number| enqueuer.enqueue(job(number)));
    let answers = futures::future::join_all(asked).await;
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_ok(), number != 7, "{number}: {answer:?}");
    }
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 49);
}

/// An insert goes by the unique keys, so that two calls do not wait for each other in a circle; the order does not.
#[tokio::test]
async fn jobs_of_one_call_come_due_in_their_order_whatever_their_keys() {
    let pool = Database::create().await.pool(4).await;
    let unique = |n: u8| told(&n.to_string(), Act::Succeed).unique(n.to_string(), Unique::WhileLive);
    let jobs: Vec<_> = (0..16).map(|n| if n % 3 == 0 { told("plain", Act::Succeed) } else { unique(n) }).collect();
    let ids = support::enqueue(&pool, &jobs).await;
    let due: Vec<Uuid> = sqlx::query_scalar("select id from queue.job order by run_at").fetch_all(&pool).await.unwrap();
    assert_eq!(due, ids);
}
