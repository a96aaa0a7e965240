//! Successes are settled where their claims left the rows, and wherever they have gone since.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use queue::NewJob;
use queue::inspect::JobState;
use sqlx::{PgPool, Row};
use tests::database::Database;
use uuid::Uuid;

use super::support::{Act, Worker, count, enqueue, find, make_effects, reaches, told, waits_for};

/// A running job, as its row and its claim have it.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Claim {
    id: Uuid,
    epoch: i32,
    owner: Uuid,
    claimed_at: DateTime<Utc>,
    ctid: String,
}

/// Writes new versions of these rows elsewhere, as reporting progress does.
async fn move_rows(pool: &PgPool, ids: &[Uuid]) {
    let moved = sqlx::query("update queue.job set progress = '1' where id = any ($1)").bind(ids).execute(pool).await;
    assert_eq!(moved.unwrap().rows_affected(), ids.len() as u64);
}

/// The short statement alone; returns the ids that it says it settled, none for all of them.
async fn settle_successes(pool: &PgPool, claims: &[Claim]) -> Option<Vec<Uuid>> {
    let settle = sqlx::query(include_str!("../../../queue/src/settle/succeeded.sql")).bind(0_i16);
    let settle = settle.bind(claims.iter().map(|claim| claim.id).collect::<Vec<_>>());
    let settle = settle.bind(claims.iter().map(|claim| claim.epoch).collect::<Vec<_>>());
    let settle = settle.bind(claims.iter().map(|claim| claim.owner).collect::<Vec<_>>());
    let settle = settle.bind(claims.iter().map(|claim| claim.claimed_at).collect::<Vec<_>>());
    let settle = settle.bind(claims.iter().map(|claim| claim.ctid.clone()).collect::<Vec<_>>());
    settle.bind(vec![None::<String>; claims.len()]).fetch_one(pool).await.unwrap().get("settled")
}

#[tokio::test]
async fn a_success_is_found_where_its_row_has_been_moved_to() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let mut worker = Worker::start(&pool).await;
    // One is settled by itself, the other in a transaction of its own.
    let ids = enqueue(&pool, &[told("a", Act::Wait), told("b", Act::WriteAndWait)]).await;
    worker.next_names(2).await;
    move_rows(&pool, &ids).await;
    worker.stage.gate.add_permits(2);
    for id in ids {
        let job = reaches(&pool, id, JobState::Succeeded).await;
        assert_eq!((job.attempt, job.errors.len()), (1, 0));
    }
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
    worker.stop().await;
}

#[tokio::test]
async fn many_successes_beside_other_outcomes_moved_or_not_end_as_they_ran() {
    const EACH: usize = 150;
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.concurrency = 4 * EACH).await;
    let acts = [Act::Wait, Act::Wait, Act::Return(7), Act::Discard];
    let jobs: Vec<NewJob> = acts.iter().flat_map(|act| (0..EACH).map(|_| told("a", act.clone()))).collect();
    // Those that end at once are enqueued last and end together with the first.
    let ids = enqueue(&pool, &jobs[..2 * EACH]).await;
    worker.next_names(2 * EACH).await;
    move_rows(&pool, &ids[..EACH]).await;
    worker.stage.gate.add_permits(2 * EACH);
    enqueue(&pool, &jobs[2 * EACH..]).await;
    waits_for(|| async { (count(&pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    let ends: Vec<(i16, Option<String>, i64)> =
        sqlx::query_as("select state, result::text, count(*) from queue.job_history group by 1, 2 order by 1, 2")
            .fetch_all(&pool)
            .await
            .unwrap();
    let each = EACH as i64;
    assert_eq!(ends, [(4, Some("7".to_owned()), each), (4, None, 2 * each), (5, None, each)]);
    let counted = "select coalesce(sum(running), 0)::bigint from queue.counter_change";
    assert_eq!(count(&pool, counted).await, 0, "what was claimed was settled once");
    worker.stop().await;
}

#[tokio::test]
async fn what_lies_at_the_place_of_a_claim_is_left_alone_unless_it_is_that_claim() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Wait), told("b", Act::Wait)]).await;
    worker.next_names(2).await;
    let claims: Vec<Claim> =
        sqlx::query_as("select *, ctid::text from queue.job order by ctid").fetch_all(&pool).await.unwrap();
    let [first, second] = claims.as_slice() else { panic!("{claims:?}") };
    let later = first.claimed_at + chrono::TimeDelta::microseconds(1);
    let wrong = BTreeMap::from([
        ("another job", Claim { id: second.id, ..first.clone() }),
        ("another epoch", Claim { epoch: first.epoch + 1, ..first.clone() }),
        ("another process", Claim { owner: Uuid::from_u128(1), ..first.clone() }),
        ("another time", Claim { claimed_at: later, ..first.clone() }),
        ("the place of another", Claim { ctid: second.ctid.clone(), ..first.clone() }),
        ("a place beyond the table", Claim { ctid: "(4294967294,1)".to_owned(), ..first.clone() }),
    ]);
    for (why, claim) in wrong {
        assert_eq!(settle_successes(&pool, &[claim]).await, Some(Vec::new()), "{why}");
    }
    assert_eq!(count(&pool, "select count(*) from queue.job_history").await, 0);
    let other = Claim { epoch: 0, ..second.clone() };
    assert_eq!(settle_successes(&pool, &[first.clone(), other]).await, Some(vec![first.id]));
    assert_eq!(settle_successes(&pool, std::slice::from_ref(second)).await, None, "all of them");
    // What the worker says of them later is refused.
    worker.stage.gate.add_permits(2);
    worker.stop().await;
    for id in ids {
        assert_eq!(find(&pool, id).await.state, JobState::Succeeded);
    }
    assert_eq!(count(&pool, "select count(*) from queue.job_history").await, 2);
}
