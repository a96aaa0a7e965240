//! Random flows with random outcomes end as a few lines of Rust say they do.

use proptest::prelude::*;
use queue::Flow;
use queue::inspect::JobState;
use tests::database::Database;

use super::flows::{enqueue_flow, is_exact};
use super::support::{Act, Worker, count, reaches, told};

/// What a job is told, which earlier jobs it waits for, and whether it needs their success.
type Plan = Vec<(usize, Vec<(usize, bool)>)>;

fn act(number: usize) -> (Act, JobState) {
    match number {
        0 => (Act::Fail, JobState::Dead),
        1 => (Act::Discard, JobState::Discarded),
        2 => (Act::Cancel, JobState::Cancelled),
        3 => (Act::FailBefore(2), JobState::Succeeded),
        _ => (Act::Succeed, JobState::Succeeded),
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let job = (0..12_usize, prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4));
    prop::collection::vec(job, 1..40).prop_map(|jobs| {
        let waits = |number: usize, parents: Vec<(prop::sample::Index, bool)>| {
            let parents = parents.into_iter().filter(|_| number > 0);
            parents.map(|(parent, is_strict)| (parent.index(number), is_strict)).collect()
        };
        jobs.into_iter().enumerate().map(|(number, (act, parents))| (act, waits(number, parents))).collect()
    })
}

/// How each job ends.
fn model(plan: &Plan) -> Vec<JobState> {
    let mut ends: Vec<JobState> = Vec::new();
    for (number, parents) in plan {
        let is_cancelled = parents.iter().any(|(parent, strict)| *strict && ends[*parent] != JobState::Succeeded);
        ends.push(if is_cancelled { JobState::Cancelled } else { act(*number).1 });
    }
    ends
}

#[test]
fn random_flows_end_as_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pool, worker) = runtime.block_on(async {
        let pool = Database::create().await.pool(40).await;
        let worker = Worker::start(&pool).await;
        (pool, worker)
    });
    // Not made smaller on failure: what a wrong one left behind would fail the smaller ones as well.
    let config = ProptestConfig { cases: 24, max_shrink_iters: 0, failure_persistence: None, ..Default::default() };
    proptest!(config, |(plan in plans())| {
        runtime.block_on(async {
            let mut flow = Flow::new();
            let mut nodes = Vec::new();
            for (number, parents) in &plan {
                let node = flow.add(told("node", act(*number).0));
                for (parent, is_strict) in parents {
                    match is_strict {
                        true => flow.after(node, &[nodes[*parent]]),
                        false => flow.after_any_outcome(node, &[nodes[*parent]]),
                    };
                }
                nodes.push(node);
            }
            let enqueued = enqueue_flow(&pool, flow).await;
            for (id, end) in enqueued.ids.iter().zip(model(&plan)) {
                reaches(&pool, *id, end).await;
            }
            is_exact(&pool).await;
            assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
        });
    });
    runtime.block_on(worker.stop());
    assert_eq!(runtime.block_on(count(&pool, "select count(*) from queue.dependency")), 0);
    assert_eq!(runtime.block_on(count(&pool, "select count(*) from queue.ended")), 0);
}
