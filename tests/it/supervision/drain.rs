//! The end of a pool in order, and what becomes of jobs that take longer than that may.

use std::time::Duration;

use super::job::Act;
use super::kit::Bench;

#[tokio::test(flavor = "multi_thread")]
async fn running_jobs_end_before_the_pool_does() {
    let mut bench = Bench::start(|settings| settings.processes = 2).await;
    bench.shut_gate();
    let job = bench.enqueue(Act::Wait, 1).await[0];
    bench.begun(job, 1).await;
    bench.order(rustix::process::Signal::TERM);
    bench.logged("stopping: nothing more is claimed", 2).await;
    bench.open_gate();
    assert_eq!(bench.ended().await, Some(0));
    bench.all_done_once(1).await;
    bench.wait_until_none_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_long_goes_back_unharmed() {
    let mut bench = Bench::start(|settings| settings.grace = Duration::from_secs(10)).await;
    bench.shut_gate();
    let job = bench.enqueue(Act::Wait, 1).await[0];
    bench.begun(job, 1).await;
    assert_eq!(bench.end().await, Some(0));
    let left = "select count(*) from queue.job where owner is null and attempt = 0 and crashes = 0";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&bench.pool).await.unwrap();
    assert_eq!((left, bench.crashes(0).await.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_cannot_drain_is_killed_and_its_jobs_given_back() {
    let mut bench = Bench::start(|settings| settings.grace = Duration::from_secs(2)).await;
    let job = bench.enqueue(Act::Block, 1).await[0];
    bench.begun(job, 1).await;
    assert_eq!(bench.end().await, Some(0));
    bench.wait_until_none_is_left().await;
    let crash = &bench.crashes(1).await[0];
    assert_eq!((crash.cause.as_str(), crash.signal, &crash.jobs[..]), ("overdue", Some(9), &[job][..]));
    let held: i64 = sqlx::query_scalar("select count(*) from queue.job where owner is not null")
        .fetch_one(&bench.pool)
        .await
        .unwrap();
    assert_eq!(held, 0);
}
