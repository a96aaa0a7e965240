//! A process that takes too much memory is replaced, in order.

use super::job::Act;
use super::kit::Bench;

/// Far more than a worker of the tests has, and far less than the leak.
const RSS_MAX: u64 = 400 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_with_too_much_memory_is_replaced_without_losing_a_job() {
    let mut bench = Bench::start(|settings| settings.rss_max = Some(RSS_MAX)).await;
    let before = bench.workers(1).await;
    bench.shut_gate();
    let held = bench.enqueue(Act::Wait, 1).await[0];
    bench.begun(held, 1).await;
    bench.enqueue(Act::Leak(500), 1).await;
    // The new process is at work before the old one, which still has a job, is asked to end.
    bench.logged("child is at work", 2).await;
    assert_eq!(bench.running().len(), 2);
    let next = bench.enqueue(Act::Nothing, 1).await[0];
    let at_work = bench.effect_of(next).await;
    assert_ne!([at_work][..], before);
    bench.open_gate();
    bench.all_done_once(3).await;
    assert_eq!([bench.effect_of(held).await][..], before, "it ended its job");
    assert_eq!(bench.workers(1).await, [at_work]);
    assert_eq!(bench.crashes(0).await, []);
}
