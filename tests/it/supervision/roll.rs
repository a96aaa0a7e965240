//! Rolling restarts: a new process in the place of each, without a gap in service.

use std::time::Duration;

use rustix::process::Signal;

use super::job::Act;
use super::kit::Bench;

/// How many jobs are enqueued at a time while processes come and go.
const BURST: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_replaced_under_load_and_every_job_is_done_once() {
    let mut bench = Bench::start(|settings| settings.processes = 3).await;
    let before = bench.workers(3).await;
    let mut jobs = bench.enqueue(Act::Nothing, BURST).await.len();
    bench.order(Signal::HUP);
    while !bench.log().contains("rolling restart completed") {
        // At every moment there are as many processes at work as there should be, or one more.
        let running = bench.running().len();
        assert!((3..=4).contains(&running), "{running} processes");
        bench.enqueue(Act::Nothing, BURST).await;
        jobs += BURST;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bench.all_done_once(jobs).await;
    let after = bench.workers(3).await;
    assert!(after.iter().all(|worker| !before.contains(worker)), "{before:?} {after:?}");
    assert_eq!(bench.crashes(0).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_stays_when_new_processes_die() {
    let mut bench = Bench::start(|settings| settings.processes = 2).await;
    let before = bench.workers(2).await;
    std::fs::write(bench.settings.doomed(), "").unwrap();
    bench.order(Signal::USR2);
    bench.logged("rolling restart aborted", 1).await;
    assert_eq!(bench.workers(2).await, before);
    let job = bench.enqueue(Act::Nothing, 1).await[0];
    assert!(before.contains(&bench.effect_of(job).await));
    // It is no reason to give up, and the next one may go well.
    std::fs::remove_file(bench.settings.doomed()).unwrap();
    bench.order(Signal::HUP);
    bench.logged("rolling restart completed", 1).await;
    let after = bench.workers(2).await;
    assert!(after.iter().all(|worker| !before.contains(worker)), "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_stays_when_new_processes_do_not_come_to_work() {
    let mut bench = Bench::start(|settings| settings.ready_timeout = Duration::from_secs(60)).await;
    let before = bench.workers(1).await;
    std::fs::write(bench.settings.idle(), "").unwrap();
    bench.order(Signal::HUP);
    bench.logged("rolling restart aborted", 1).await;
    assert_eq!(bench.workers(1).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_asked_to_end_meanwhile_ends() {
    let mut bench = Bench::start(|_| {}).await;
    std::fs::write(bench.settings.idle(), "").unwrap();
    bench.order(Signal::HUP);
    bench.logged("child started", 2).await;
    assert_eq!(bench.end().await, Some(0));
    bench.wait_until_none_is_left().await;
}
