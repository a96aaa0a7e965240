//! A process that lost its jobs writes nothing more about them (I7), and crashes are counted against those that ran.

use std::time::Duration;

use queue::inspect::JobState;
use queue::lease::{self, Rescued};
use sqlx::PgPool;
use tests::database::Database;
use uuid::Uuid;

use super::support::{Act, Worker, count, effects, enqueue, find, make_effects, reaches, together, told, waits_for};

/// Takes the jobs of a process that still lives, as happens to one that was silent for too long.
async fn steal(pool: &PgPool, process: Uuid) -> Rescued {
    lease::release(&mut pool.acquire().await.unwrap(), 0, process).await.unwrap()
}

/// A worker that does not notice by itself within the test that its lease is gone.
async fn oblivious(pool: &PgPool) -> Worker {
    Worker::start_with(pool, |config| config.consumer.heartbeat = Duration::from_secs(3_600)).await
}

/// Who settled the job.
async fn settled_by(pool: &PgPool, id: Uuid) -> Option<Uuid> {
    sqlx::query_scalar("select process from queue.job_history where id = $1").bind(id).fetch_one(pool).await.unwrap()
}

/// One job runs in a first worker, is stolen, and ends in a second one; then the first one ends it as well.
async fn the_first_holder_is_refused(act: Act, effect: &[&str]) {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let mut first = oblivious(&pool).await;
    let ids = enqueue(&pool, &[told("a", act)]).await;
    first.next().await;
    assert_eq!(steal(&pool, first.process).await, Rescued { ready: 1, poison: 0 });
    let mut second = Worker::start(&pool).await;
    assert_eq!(second.next().await.attempt, 1, "the crash used up no attempt");
    first.stage.gate.add_permits(1);
    // The first is told to stop, so that its outcome has been refused for certain.
    first.stop().await;
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Running, "the job is still the second's");
    assert!(effects(&pool).await.is_empty());
    second.stage.gate.add_permits(1);
    reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_eq!(settled_by(&pool, ids[0]).await, Some(second.process));
    assert_eq!(effects(&pool).await, effect);
    second.stop().await;
}

#[tokio::test]
async fn a_settle_by_a_former_holder_is_refused() {
    the_first_holder_is_refused(Act::Wait, &[]).await;
}

#[tokio::test]
async fn a_transaction_of_a_former_holder_is_rolled_back() {
    the_first_holder_is_refused(Act::WriteAndWait, &["a"]).await;
}

#[tokio::test]
async fn an_outcome_of_a_claim_that_a_crash_undid_is_refused_even_to_the_next_claim_of_the_same_process() {
    let pool = Database::create().await.pool(20).await;
    let mut worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Wait)]).await;
    worker.next().await;
    // The claim was not on the disk yet when the server crashed: the row is as it was before.
    let undo =
        "update queue.job set state = 1, epoch = epoch - 1, attempt = attempt - 1, owner = null, claimed_at = null";
    sqlx::query(undo).execute(&pool).await.unwrap();
    // The same process claims it again, with the same epoch, while the first run goes on.
    worker.next().await;
    worker.stage.gate.add_permits(1);
    let later = enqueue(&pool, &[told("later", Act::Succeed)]).await;
    reaches(&pool, later[0], JobState::Succeeded).await;
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Running, "the first run's outcome is not the second's");
    worker.stage.gate.add_permits(1);
    reaches(&pool, ids[0], JobState::Succeeded).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_batch_that_lost_some_jobs_does_the_others() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let mut worker = oblivious(&pool).await;
    let jobs = [together("a", Act::Write), together("b", Act::WriteAndWait), together("c", Act::Write)];
    let ids = enqueue(&pool, &jobs).await;
    assert_eq!(worker.next().await.name, "a,b,c");
    let take = "update queue.job set epoch = epoch + 1 where id = $1";
    sqlx::query(take).bind(ids[2]).execute(&pool).await.unwrap();
    worker.stage.gate.add_permits(2);
    assert_eq!(worker.next().await.name, "a,b");
    for id in &ids[..2] {
        reaches(&pool, *id, JobState::Succeeded).await;
    }
    assert_eq!(effects(&pool).await, ["a", "b"]);
    assert_eq!(find(&pool, ids[2]).await.state, JobState::Running);
    worker.stop().await;
}

#[tokio::test]
async fn a_process_that_lost_its_lease_drops_its_jobs_and_registers_anew() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let mut worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::WriteAndWait)]).await;
    worker.next().await;
    steal(&pool, worker.process).await;
    // It notices at its next heartbeat, interrupts the run, registers, and runs the job again.
    assert_eq!(worker.next().await.attempt, 1);
    worker.stage.gate.add_permits(1);
    reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_ne!(settled_by(&pool, ids[0]).await, Some(worker.process));
    assert_eq!(effects(&pool).await, ["a"]);
    worker.stop().await;
}

#[tokio::test]
async fn the_jobs_of_a_dead_process_are_rescued_when_its_lease_runs_out() {
    let pool = Database::create().await.pool(20).await;
    let mut dead = Worker::start_with(&pool, |config| {
        (config.consumer.lease, config.consumer.heartbeat) = (Duration::from_millis(500), Duration::from_secs(3_600));
    })
    .await;
    let ids = enqueue(&pool, &[told("a", Act::Wait)]).await;
    dead.next().await;
    let mut heir = Worker::start_with(&pool, |config| config.consumer.lease = Duration::from_secs(1)).await;
    assert_eq!(heir.next().await.attempt, 1);
    heir.stage.gate.add_permits(1);
    let job = reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_eq!(job.errors[0].error, "the worker process died with the job in hand");
    assert_eq!(count(&pool, "select count(*) from queue.process").await, 1, "the lease of the dead is gone");
    heir.stop().await;
    dead.abandon();
}

#[tokio::test]
async fn a_job_that_ran_in_three_crashes_is_poison_and_its_neighbours_are_not() {
    let pool = Database::create().await.pool(40).await;
    let ids = enqueue(&pool, &[told("poison", Act::Wait), told("neighbour", Act::Wait)]).await;
    for crash in 1..=3 {
        // One at a time: the neighbour is claimed as well only once the first has been begun.
        let mut worker = Worker::start_with(&pool, |config| {
            config.consumer.concurrency = 1;
            config.consumer.heartbeat = Duration::from_secs(3_600);
        })
        .await;
        assert_eq!(worker.next().await, super::support::Seen { name: "poison".to_owned(), attempt: 1 });
        let rescued = steal(&pool, worker.process).await;
        assert_eq!(rescued.poison, u64::from(crash == 3));
        worker.abandon();
    }
    let dead = reaches(&pool, ids[0], JobState::Dead).await;
    assert_eq!((dead.dead_reason.as_deref(), dead.errors.len()), (Some("poison"), 3));
    assert_eq!(find(&pool, ids[1]).await.state, JobState::Ready);
}

#[tokio::test]
async fn a_suspect_that_had_not_begun_again_is_not_blamed_again() {
    let pool = Database::create().await.pool(20).await;
    let ids = enqueue(&pool, &[told("a", Act::Wait)]).await;
    let process = Uuid::now_v7();
    for _ in 0..5 {
        let hold = "insert into queue.process (shard, id, pid, host, queues, started_at, heartbeat_at, expires_at)
                    values (0, $1, 1, 'h', '{}', now(), now(), now())";
        sqlx::query(hold).bind(process).execute(&pool).await.unwrap();
        let claim = "update queue.job set owner = $1, attempt = attempt + 1, claimed_at = now()";
        sqlx::query(claim).bind(process).execute(&pool).await.unwrap();
        assert_eq!(steal(&pool, process).await, Rescued { ready: 1, poison: 0 });
    }
    let crashes: i16 =
        sqlx::query_scalar("select crashes from queue.job where id = $1").bind(ids[0]).fetch_one(&pool).await.unwrap();
    assert_eq!(crashes, 1);
}

#[tokio::test]
async fn a_stopped_holder_of_locks_is_cut_off_before_its_lease_ends() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.lease = Duration::from_secs(1)).await;
    enqueue(&pool, &[told("a", Act::WriteAndWait)]).await;
    worker.next().await;
    // The job stands idle in its transaction, as a stopped process would: the server ends that by itself.
    let idle = "select count(*) from pg_stat_activity
                 where datname = current_database() and state = 'idle in transaction'";
    waits_for(|| async { (count(&pool, idle).await == 0).then_some(()) }).await;
    worker.stage.gate.add_permits(1);
    assert_eq!(worker.next().await.attempt, 2, "its commit failed, and it is tried again");
    worker.stage.gate.add_permits(1);
    waits_for(|| async { (effects(&pool).await == ["a"]).then_some(()) }).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_batch_that_holds_a_job_twice_because_a_crash_undid_a_claim_does_it_once() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let mut worker = Worker::start(&pool).await;
    // One batch runs, so that the next two claims wait in hand.
    let first = enqueue(&pool, &[together("first", Act::WriteAndWait)]).await;
    worker.next().await;
    let twice = enqueue(&pool, &[together("twice", Act::Write)]).await;
    let claimed = "select count(*) from queue.job where owner is not null";
    waits_for(|| async { (count(&pool, claimed).await == 2).then_some(()) }).await;
    // The claim was not on the disk yet when the server crashed: the row is as it was before, and is claimed again.
    let undo =
        "update queue.job set epoch = epoch - 1, attempt = attempt - 1, owner = null, claimed_at = null where id = $1";
    sqlx::query(undo).bind(twice[0]).execute(&pool).await.unwrap();
    waits_for(|| async { (count(&pool, claimed).await == 2).then_some(()) }).await;
    worker.stage.gate.add_permits(1);
    reaches(&pool, first[0], JobState::Succeeded).await;
    reaches(&pool, twice[0], JobState::Succeeded).await;
    assert_eq!(effects(&pool).await, ["first", "twice"], "each once");
    worker.stop().await;
}
