//! Scheduled jobs run when they come due, and not before.

use std::time::Duration;

use queue::inspect::JobState;
use tests::database::Database;

use super::support::{Act, Worker, enqueue, reaches, told};

#[tokio::test]
async fn a_scheduled_job_runs_when_it_comes_due() {
    let pool = Database::create().await.pool(10).await;
    let worker = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Succeed).delay(Duration::from_millis(300))]).await;
    let job = reaches(&pool, ids[0], JobState::Succeeded).await;
    let (delay, late) = (job.run_at - job.created_at, job.started_at.unwrap() - job.run_at);
    assert_eq!(delay.num_milliseconds(), 300);
    assert!(late.num_milliseconds() >= 0);
    worker.stop().await;
}

#[tokio::test]
async fn a_job_far_ahead_stays() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let ids =
        enqueue(&pool, &[told("far", Act::Succeed).delay(Duration::from_secs(3_600)), told("now", Act::Succeed)]).await;
    reaches(&pool, ids[1], JobState::Succeeded).await;
    assert_eq!(worker.next().await.name, "now");
    assert!(!worker.has_more());
    assert_eq!(super::support::find(&pool, ids[0]).await.state, JobState::Scheduled);
    worker.stop().await;
}
