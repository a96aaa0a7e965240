//! Flows: jobs that wait for other jobs.
//!
//! A [`Flow`] is built in memory, checked, and enqueued in the caller's transaction with a few statements, however many
//! jobs it has. A job that waits is `waiting` until the last of the jobs that it waits for has ended; then it is claimed
//! like any other. What ends says so in a table of its own, and a task apart from claiming and settling tells the ones
//! that wait ([`unblock`]), so that a job with many dependants ends as fast as one with none.
//!
//! ```
//! # use queue::{Flow, Job, JobContext, JobError, NewJob};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Serialize, Deserialize)]
//! # struct Step(u32);
//! # impl Job for Step {
//! #     const KIND: &'static str = "demo.step";
//! #     const QUEUE: &'static str = "demo";
//! #     async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> { Ok(()) }
//! # }
//! let mut flow = Flow::new();
//! let extract = flow.add(NewJob::of(&Step(1))?);
//! let left = flow.add(NewJob::of(&Step(2))?);
//! let right = flow.add(NewJob::of(&Step(3))?);
//! let load = flow.add(NewJob::of(&Step(4))?);
//! flow.after(left, &[extract]).after(right, &[extract]).after(load, &[left, right]);
//! flow.check()?;
//! // In the transaction of the caller: flow.enqueue(&mut tx).await?
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod check;
mod enqueue;
mod unblock;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::NewJob;

pub use check::{FLOW_JOBS_MAX, FLOW_LINKS_MAX, FlowError};
pub use enqueue::FlowEnqueued;
pub use unblock::{Unblocked, unblock};

/// One job of a [`Flow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// Which flow it belongs to, so that a node of another flow is noticed.
    flow: u64,
    index: usize,
}

/// What [`Flow::group`] made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The jobs of the group, in their order.
    pub members: Vec<Node>,
    /// The job that runs when all of them have ended.
    pub callback: Node,
}

/// A job that another one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Parent {
    Node(Node),
    /// One that was enqueued before.
    Existing(Uuid),
}

/// What becomes of a waiting job when one that it waits for ends without success. The first is the stricter one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    Cancel,
    RunAllTheSame,
}

/// Jobs, and which of them wait for which.
///
/// A job of a flow keeps everything that [`NewJob`] can say. Its delay counts from its being enqueued: it is due when
/// that has passed *and* what it waits for has ended, and takes its place in the queue as of that moment.
#[derive(Debug, Clone)]
pub struct Flow {
    tag: u64,
    jobs: Vec<NewJob>,
    /// Who waits for whom.
    links: BTreeMap<(Node, Parent), Policy>,
}

impl Default for Flow {
    fn default() -> Flow {
        Flow::new()
    }
}

impl Flow {
    /// A flow without jobs.
    pub fn new() -> Flow {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Flow { tag: NEXT.fetch_add(1, Ordering::Relaxed), jobs: Vec::new(), links: BTreeMap::new() }
    }

    /// Adds a job, which waits for nothing yet.
    pub fn add(&mut self, job: NewJob) -> Node {
        self.jobs.push(job);
        Node { flow: self.tag, index: self.jobs.len() - 1 }
    }

    /// The child waits until all of these have succeeded. When one of them ends in any other way (discarded, cancelled,
    /// dead), the child is cancelled, and with it, by the same rule, what waits for the child.
    ///
    /// Where the same is said twice, once with [`Flow::after_any_outcome`], this holds.
    pub fn after(&mut self, child: Node, parents: &[Node]) -> &mut Flow {
        self.wait(child, parents.iter().copied().map(Parent::Node), Policy::Cancel)
    }

    /// The child waits until all of these have ended, in whatever way.
    pub fn after_any_outcome(&mut self, child: Node, parents: &[Node]) -> &mut Flow {
        self.wait(child, parents.iter().copied().map(Parent::Node), Policy::RunAllTheSame)
    }

    /// As [`Flow::after`], for a job that was enqueued before. It may have ended: if it succeeded, the child does not wait
    /// for it, and otherwise the child is cancelled.
    ///
    /// From [`Flow::enqueue`] to the commit, the job's row is locked: it may run, but cannot end, and outcomes that are
    /// being written together with its own wait as well. So commit soon.
    pub fn after_existing(&mut self, child: Node, job: Uuid) -> &mut Flow {
        self.wait(child, [Parent::Existing(job)], Policy::Cancel)
    }

    /// As [`Flow::after_any_outcome`], for a job that was enqueued before; see [`Flow::after_existing`].
    pub fn after_existing_any_outcome(&mut self, child: Node, job: Uuid) -> &mut Flow {
        self.wait(child, [Parent::Existing(job)], Policy::RunAllTheSame)
    }

    /// Adds jobs, and one that runs when all of them have ended, in whatever way. What became of them it finds by their
    /// ids ([`inspect::find`](crate::inspect::find)).
    pub fn group(&mut self, jobs: impl IntoIterator<Item = NewJob>, callback: NewJob) -> Group {
        let members: Vec<Node> = jobs.into_iter().map(|job| self.add(job)).collect();
        let callback = self.add(callback);
        self.after_any_outcome(callback, &members);
        Group { members, callback }
    }

    /// Adds jobs each of which waits for the one before, as by [`Flow::after`].
    pub fn chain(&mut self, jobs: impl IntoIterator<Item = NewJob>) -> Vec<Node> {
        let nodes: Vec<Node> = jobs.into_iter().map(|job| self.add(job)).collect();
        for pair in nodes.windows(2) {
            self.after(pair[1], &pair[..1]);
        }
        nodes
    }

    /// How many jobs it has.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether it has no job.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The id that a job will have, unless another one of its unique key stands in its way.
    ///
    /// # Panics
    /// When the node is of another flow.
    pub fn id(&self, node: Node) -> Uuid {
        assert_eq!(node.flow, self.tag, "the node is of another flow");
        self.jobs[node.index].id
    }

    /// Enqueued by this job, all of them.
    pub(crate) fn parent(mut self, job: Uuid) -> Flow {
        self.jobs.iter_mut().for_each(|node| node.parent = Some(job));
        self
    }

    fn wait(&mut self, child: Node, parents: impl IntoIterator<Item = Parent>, policy: Policy) -> &mut Flow {
        for parent in parents {
            let said = self.links.entry((child, parent)).or_insert(policy);
            *said = policy.min(*said);
        }
        self
    }
}
