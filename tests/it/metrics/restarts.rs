//! Counters of a slot go on when its process is replaced, and what is told of processes follows them.

use rustix::process::Signal;

use super::exposition::Exposition;
use super::kit::{Roles, send};

const SETTLED: &str = "queue_jobs_settled_total";
const RECORDED: [(&str, &str); 2] = [("kind", "ledger.record_transaction"), ("outcome", "succeeded")];

#[tokio::test]
async fn counters_of_a_slot_only_rise_over_a_kill_and_a_rolling_restart() {
    let roles = Roles::start().await;
    let ada = roles.customer().await;
    for _ in 0..5 {
        assert_eq!(roles.deposit(&ada, "1.00").await["status"], "recorded");
    }
    let is_counted = |number: f64| move |page: &Exposition| page.sum(SETTLED, &RECORDED) >= number;
    let before = roles.page_when("five to be counted", &roles.worker, is_counted(5.0)).await;

    for pid in roles.worker_pids() {
        send(pid, Signal::KILL);
    }
    let restarted = |reason: &'static str, number: f64| {
        move |page: &Exposition| {
            let slots = ["1", "2"].map(|slot| page.sum("queue_places", &[("worker", slot), ("queue", "ledger")]));
            page.sum("worker_restarts_total", &[("reason", reason)]) >= number
                && slots.iter().all(|places| *places > 0.0)
        }
    };
    let after = roles.page_when("both to be back", &roles.worker, restarted("crashed", 2.0)).await;
    rises(&before, &after);
    assert_eq!(after.sum(SETTLED, &RECORDED), 5.0, "nothing ran since, and nothing is forgotten");
    assert_eq!(roles.deposit(&ada, "1.00").await["status"], "recorded");
    let after = roles.page_when("the sixth to be counted", &roles.worker, is_counted(6.0)).await;
    assert_eq!(after.sum(SETTLED, &RECORDED), 6.0);

    roles.signal(1, Signal::HUP);
    let rolled = roles.page_when("the rolling restart", &roles.worker, restarted("rolling", 2.0)).await;
    rises(&after, &rolled);
    assert_eq!(rolled.sum("worker_processes_wanted", &[]), 2.0);
    assert_eq!(rolled.sum("worker_rolls_total", &[("outcome", "aborted")]), 0.0);
}

/// No series of a counter or a histogram is lower than it was.
fn rises(before: &Exposition, after: &Exposition) {
    for (name, family) in before.0.iter().filter(|(_, family)| family.kind != "gauge") {
        for sample in &family.samples {
            let found = after.0[name].samples.iter().find(|other| other.series() == sample.series());
            let value = found.unwrap_or_else(|| panic!("{} is gone", sample.series())).value;
            assert!(value >= sample.value, "{} fell from {} to {value}", sample.series(), sample.value);
        }
    }
}
