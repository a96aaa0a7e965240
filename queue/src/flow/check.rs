//! What can be wrong with a flow, found before anything is written.

use std::borrow::Cow;
use std::collections::HashSet;

use uuid::Uuid;

use super::{Flow, Node, Parent};
use crate::{EnqueueError, JobError};

/// The most jobs of a flow, those included that exist already and are waited for.
pub const FLOW_JOBS_MAX: usize = 10_000;

/// The most pairs of a job and one that it waits for.
pub const FLOW_LINKS_MAX: usize = 100_000;

/// Why a flow could not be enqueued; nothing of it has been then, if the caller rolls back.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// It has too many jobs.
    #[error("a flow of {jobs} jobs is larger than {FLOW_JOBS_MAX}")]
    TooManyJobs {
        /// Its jobs, and those that it waits for.
        jobs: usize,
    },
    /// Its jobs wait for too many others.
    #[error("a flow whose jobs wait for {links} others, all counted, is over the limit of {FLOW_LINKS_MAX}")]
    TooManyLinks {
        /// The pairs of a job and one that it waits for.
        links: usize,
    },
    /// A node is of another flow.
    #[error("a node of another flow was named")]
    UnknownNode,
    /// Its jobs are in several shards.
    #[error("the jobs of a flow are all in one shard")]
    SeveralShards,
    /// Two of its jobs have the same id, or one waits for an existing job of that id.
    #[error("the id {0} stands for two jobs of the flow")]
    DuplicateId(Uuid),
    /// Two of its jobs have the same unique key, so that one would stand in the way of the other.
    #[error("two jobs of the flow, of the kind {kind}, have the same unique key")]
    DuplicateKey {
        /// Their kind.
        kind: Cow<'static, str>,
    },
    /// A job waits for itself, by way of others or directly.
    #[error("the job {id} of the kind {kind} waits for itself")]
    Cycle {
        /// One of the jobs of the cycle.
        id: Uuid,
        /// Its kind.
        kind: Cow<'static, str>,
    },
    /// A job that is to be waited for never was, or its history has been dropped.
    #[error("the job {0}, which is to be waited for, was not found")]
    NotFound(Uuid),
    /// The jobs could not be enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<sqlx::Error> for FlowError {
    fn from(error: sqlx::Error) -> FlowError {
        FlowError::Enqueue(error.into())
    }
}

impl From<FlowError> for JobError {
    fn from(error: FlowError) -> JobError {
        JobError::retry(error)
    }
}

impl Flow {
    /// Whether the flow makes sense; [`Flow::enqueue`] asks this first.
    ///
    /// # Errors
    /// All of [`FlowError`] except [`FlowError::NotFound`] and [`FlowError::Enqueue`].
    pub fn check(&self) -> Result<(), FlowError> {
        let existing = self.existing();
        let jobs = self.jobs.len() + existing.len();
        if jobs > FLOW_JOBS_MAX {
            return Err(FlowError::TooManyJobs { jobs });
        }
        if self.links.len() > FLOW_LINKS_MAX {
            return Err(FlowError::TooManyLinks { links: self.links.len() });
        }
        if self.links.keys().any(|(child, parent)| self.is_unknown(*child, *parent)) {
            return Err(FlowError::UnknownNode);
        }
        if self.jobs.windows(2).any(|pair| pair[0].shard != pair[1].shard) {
            return Err(FlowError::SeveralShards);
        }
        self.check_names(existing)?;
        self.check_order()
    }

    /// The jobs of before that are waited for.
    pub(super) fn existing(&self) -> HashSet<Uuid> {
        let existing = self.links.keys().filter_map(|(_, parent)| match parent {
            Parent::Existing(id) => Some(*id),
            Parent::Node(_) => None,
        });
        existing.collect()
    }

    fn is_unknown(&self, child: Node, parent: Parent) -> bool {
        let is_other = |node: Node| node.flow != self.tag || node.index >= self.jobs.len();
        is_other(child) || matches!(parent, Parent::Node(node) if is_other(node))
    }

    fn check_names(&self, mut ids: HashSet<Uuid>) -> Result<(), FlowError> {
        let mut keys = HashSet::new();
        for job in &self.jobs {
            if !ids.insert(job.id) {
                return Err(FlowError::DuplicateId(job.id));
            }
            if job.unique.as_ref().is_some_and(|(key, _)| !keys.insert(key)) {
                return Err(FlowError::DuplicateKey { kind: job.kind.clone() });
            }
        }
        Ok(())
    }

    /// Takes away, again and again, what waits for nothing; what is left then waits in a circle.
    fn check_order(&self) -> Result<(), FlowError> {
        let mut waits_for = vec![0_usize; self.jobs.len()];
        let mut children = vec![Vec::new(); self.jobs.len()];
        for (child, parent) in self.links.keys() {
            if let Parent::Node(parent) = parent {
                waits_for[child.index] += 1;
                children[parent.index].push(child.index);
            }
        }
        let mut free: Vec<usize> = (0..self.jobs.len()).filter(|index| waits_for[*index] == 0).collect();
        while let Some(index) = free.pop() {
            for child in &children[index] {
                waits_for[*child] -= 1;
                if waits_for[*child] == 0 {
                    free.push(*child);
                }
            }
        }
        match waits_for.iter().position(|parents| *parents > 0) {
            Some(index) => Err(FlowError::Cycle { id: self.jobs[index].id, kind: self.jobs[index].kind.clone() }),
            None => Ok(()),
        }
    }
}
