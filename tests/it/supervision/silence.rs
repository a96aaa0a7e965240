//! Processes that give no sign of life: stopped, or stuck in a job. They are replaced, and their jobs given back.

use std::time::Duration;

use rustix::process::Signal;

use super::job::Act;
use super::kit::{Bench, signal};
use super::program::Settings;

/// Silence that is noticed soon, also of a process whose first job begins before it has been asked for the first time.
fn noticed_soon(settings: &mut Settings) {
    (settings.heartbeat_timeout, settings.ready_timeout) = (Some(Duration::from_secs(4)), Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_is_replaced_and_its_jobs_are_given_back() {
    let mut bench = Bench::start(noticed_soon).await;
    bench.shut_gate();
    let job = bench.enqueue(Act::Wait, 1).await[0];
    let stopped = bench.begun(job, 1).await[0];
    signal(stopped, Signal::STOP);
    let begun = bench.begun(job, 2).await;
    assert_ne!(begun[1], stopped);
    bench.open_gate();
    bench.all_done_once(1).await;
    assert_eq!(bench.workers(1).await, begun[1..]);
    let crash = &bench.crashes(1).await[0];
    // A process that is stopped takes no other signal.
    assert_eq!((crash.cause.as_str(), crash.signal, crash.jobs[0]), ("silent", Some(9), job));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_whose_runtime_is_blocked_is_replaced() {
    let bench = Bench::start(noticed_soon).await;
    let job = bench.enqueue(Act::Block, 1).await[0];
    let blocked = bench.begun(job, 1).await[0];
    assert_ne!(bench.effect_of(job).await, blocked);
    bench.all_done_once(1).await;
    let crash = &bench.crashes(1).await[0];
    assert_eq!((crash.pid.cast_unsigned(), crash.cause.as_str(), crash.signal), (blocked, "silent", Some(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_process_does_not_outlive_a_killed_supervisor() {
    let mut bench = Bench::start(|settings| settings.grace = Duration::from_secs(2)).await;
    let job = bench.enqueue(Act::Block, 1).await[0];
    bench.begun(job, 1).await;
    bench.kill_supervisor();
    bench.wait_until_none_is_left().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_does_not_outlive_a_killed_supervisor() {
    let mut bench = Bench::start(|_| {}).await;
    let worker = bench.workers(1).await[0];
    signal(worker, Signal::STOP);
    bench.kill_supervisor();
    bench.wait_until_none_is_left().await;
}
