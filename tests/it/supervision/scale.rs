//! One process more, one less: under load nothing is lost and nothing done twice, and work moves at once.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::job::Act;
use super::kit::{Bench, PATIENCE};

/// Jobs enqueued at a time.
const BURST: usize = 50;

/// Enqueues until `done`, at a pace; returns how many jobs that were.
async fn enqueue_until(bench: &mut Bench, done: impl Fn(&mut Bench) -> bool) -> usize {
    let (started, mut jobs) = (Instant::now(), 0);
    while !done(bench) {
        assert!(started.elapsed() < PATIENCE, "too few or too many processes");
        jobs += bench.enqueue(Act::Nothing, BURST).await.len();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn from_one_process_to_eight_and_back_under_load() {
    let mut bench = Bench::start(|_| {}).await;
    let first = bench.workers(1).await[0];
    let mut jobs = enqueue_until(&mut bench, |_| true).await;
    for _ in 0..7 {
        // Signals of one kind that nobody has taken yet are one, so each waits for the last.
        let wanted = bench.running().len() + 1;
        bench.order(Signal::TTIN);
        jobs += enqueue_until(&mut bench, |bench| bench.running().len() >= wanted).await;
    }
    let eight = bench.workers(8).await;
    for worker in &eight {
        jobs += until_it_has_work(&mut bench, *worker).await;
    }
    for left in (1..8).rev() {
        bench.order(Signal::TTOU);
        jobs += enqueue_until(&mut bench, |bench| bench.running().len() == left).await;
    }
    assert_eq!(bench.workers(1).await, [first], "the last one in is the first one out");
    bench.all_done_once(jobs).await;
    assert_eq!(bench.crashes(0).await, []);
    bench.order(Signal::TTOU);
    bench.logged("the last process stays", 1).await;
    assert_eq!(bench.workers(1).await, [first]);
}

/// Enqueues until the process has done a job.
async fn until_it_has_work(bench: &mut Bench, worker: u32) -> usize {
    let (started, mut jobs) = (Instant::now(), 0);
    let has_worked = "select exists (select from supervision.effect where pid = $1)";
    while !sqlx::query_scalar::<_, bool>(has_worked).bind(worker.cast_signed()).fetch_one(&bench.pool).await.unwrap() {
        assert!(started.elapsed() < PATIENCE, "process {worker} gets no work");
        jobs += bench.enqueue(Act::Nothing, BURST).await.len();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    jobs
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_to_a_new_process_at_once() {
    let bench = Bench::start(|settings| settings.concurrency = 1).await;
    bench.shut_gate();
    let busy = bench.enqueue(Act::Wait, 1).await[0];
    bench.begun(busy, 1).await;
    // It waits for a place that nobody but a new process has.
    let waiting = bench.enqueue(Act::Nothing, 1).await[0];
    bench.order(Signal::TTIN);
    bench.logged("registered", 2).await;
    let registered = Instant::now();
    bench.effect_of(waiting).await;
    let moved = registered.elapsed();
    eprintln!("work moved {moved:?} after the process had registered");
    assert!(moved < Duration::from_secs(20), "{moved:?}");
    bench.open_gate();
    bench.all_done_once(2).await;
}
