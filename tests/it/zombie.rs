//! A worker process that was stopped for longer than its lease finds its job taken, and writes nothing (invariants 7
//! and 8): two real processes, SIGSTOP and SIGCONT.

mod job;
mod worker;

use std::time::Duration;

use queue::{NewJob, enqueue};
use sqlx::PgPool;
use tests::database::Database;
use tests::wait::{until, until_async};
use uuid::Uuid;

use job::{Answer, Hold, HoldBatch, Mode};
use worker::Worker;

/// How long anything here may take; a lease is 2 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the jobs of this test write.
const TABLES: &str = "
    create schema zombie;
    create table zombie.begun (pid integer not null);
    create table zombie.effect (pid integer not null);
    create table zombie.refused (pid integer not null);
";

async fn pids(pool: &PgPool, table: &'static str) -> Vec<i32> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select pid from zombie.{table}"))).fetch_all(pool).await.unwrap()
}

/// Waits until the statement gives something.
async fn found(pool: &PgPool, what: &str, statement: &'static str) -> Uuid {
    until_async(what, PATIENCE, async || sqlx::query_scalar(statement).fetch_optional(pool).await.unwrap()).await
}

/// The lease that the only live process with a lease of this number has.
async fn lease_of(pool: &PgPool, worker: &Worker) -> Option<Uuid> {
    let lease = "select id from queue.process where pid = $1 and lost_at is null";
    sqlx::query_scalar(lease).bind(worker.pid()).fetch_optional(pool).await.unwrap()
}

/// A holds the job and is stopped; B takes it and completes it; A goes on and is refused.
async fn a_zombie_is_refused(job: NewJob, writes: bool) {
    let database = Database::create().await;
    let pool = database.pool(2).await;
    sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
    let a = Worker::start(&database.url());
    a.hold();
    enqueue(&mut pool.acquire().await.unwrap(), &[job]).await.unwrap();
    found(&pool, "A to begin the job", "select gen_random_uuid() from zombie.begun").await;
    let lost = lease_of(&pool, &a).await.expect("A has registered");
    a.stop();
    a.let_go();

    let b = Worker::start(&database.url());
    let completed_by = "select process from queue.job_history where state = 4";
    let completed_by = found(&pool, "B to complete the job", completed_by).await;
    assert_eq!(Some(completed_by), lease_of(&pool, &b).await);
    assert_eq!(pids(&pool, "begun").await, [a.pid(), b.pid()]);

    a.go_on();
    until("A to be refused", PATIENCE, || a.log().contains("taken from this process").then_some(())).await;
    let again = "select id from queue.process where pid = (select pid from zombie.begun limit 1) and lost_at is null";
    assert_ne!(found(&pool, "A to register anew", again).await, lost);
    let effects = if writes { vec![b.pid()] } else { vec![] };
    assert_eq!(pids(&pool, "effect").await, effects, "A's own transaction was rolled back");
    let history: i64 = sqlx::query_scalar("select count(*) from queue.job_history").fetch_one(&pool).await.unwrap();
    let live: i64 = sqlx::query_scalar("select count(*) from queue.job").fetch_one(&pool).await.unwrap();
    assert_eq!((history, live), (1, 0), "B's result stands, and nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_outcome_is_refused() {
    a_zombie_is_refused(NewJob::of(&Hold { mode: Mode::WriteNothing }).unwrap(), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transaction_it_had_begun_is_refused() {
    a_zombie_is_refused(NewJob::of(&Hold { mode: Mode::WriteThenWait }).unwrap(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transaction_it_begins_afterwards_is_refused() {
    a_zombie_is_refused(NewJob::of(&Hold { mode: Mode::WaitThenWrite }).unwrap(), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_transaction_of_its_batch_is_refused() {
    a_zombie_is_refused(NewJob::batch(&HoldBatch { mode: Mode::WaitThenWrite }).unwrap(), true).await;
}

/// A holds the job and is stopped; B takes it, and has it still when A goes on and, not knowing of B, answers for it. A
/// is refused, and B completes the job.
async fn an_answer_of_a_zombie_is_refused(answer: Answer) {
    let database = Database::create().await;
    let pool = database.pool(2).await;
    sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
    let a = Worker::start_oblivious(&database.url());
    a.hold();
    let job = NewJob::of(&Hold { mode: Mode::WaitThenAnswer(answer) }).unwrap();
    enqueue(&mut pool.acquire().await.unwrap(), &[job]).await.unwrap();
    found(&pool, "A to begin the job", "select gen_random_uuid() from zombie.begun").await;
    a.stop();
    a.let_go();
    // To the database it runs out now, and not in two hours.
    let run_out = "update queue.process set expires_at = clock_timestamp()";
    sqlx::query(run_out).execute(&pool).await.unwrap();
    let b = Worker::start(&database.url());
    b.hold();
    found(&pool, "B to begin the job", "select gen_random_uuid() from zombie.begun offset 1").await;

    a.go_on();
    until("A to be refused", PATIENCE, || a.log().contains("taken from this process").then_some(())).await;
    if answer == Answer::Progress {
        assert_eq!(pids(&pool, "refused").await, [a.pid()], "what A reported was refused as well");
    }
    let held_by = "select owner from queue.job where owner is not null and progress is null and errors -> 1 is null";
    let held_by = found(&pool, "the job to be B's still", held_by).await;
    assert_eq!(Some(held_by), lease_of(&pool, &b).await);

    b.let_go();
    let completed = "select process from queue.job_history where state = 4 and progress::text = '\"by the heir\"'";
    assert_eq!(found(&pool, "B to complete the job", completed).await, held_by);
    let live: i64 = sqlx::query_scalar("select count(*) from queue.job").fetch_one(&pool).await.unwrap();
    assert_eq!(live, 0, "nothing is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_progress_is_refused() {
    an_answer_of_a_zombie_is_refused(Answer::Progress).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_snooze_is_refused() {
    an_answer_of_a_zombie_is_refused(Answer::Snooze).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_cancel_and_its_discard_are_refused() {
    an_answer_of_a_zombie_is_refused(Answer::Cancel).await;
    an_answer_of_a_zombie_is_refused(Answer::Discard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_failure_is_refused() {
    an_answer_of_a_zombie_is_refused(Answer::Retry).await;
}
