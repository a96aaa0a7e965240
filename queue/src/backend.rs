//! The queue as a backend of apalis.
//!
//! One worker serves one queue of a [`Consumer`]. It takes [`Work`] from the queue's lane, and the layer around each
//! task hands the outcome to the settling task. [`poll_next`](Backend::poll_next) never fails: a lost connection is the
//! consumer's business, and what cannot be run is a dead letter long before it gets here.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::error::BoxDynError;
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use tower::{Layer, Service};
use uuid::Uuid;

pub use crate::consumer::{Consumer, ConsumerConfig};
pub use crate::run::Report;

use crate::consumer::{Outcome, Shared};
use crate::lane::{Lane, Run};
use crate::metrics::{ATTEMPTS, RUN_SECONDS, WAIT_SECONDS};

/// One queue of a process, as apalis sees it.
#[derive(Debug, Clone)]
pub struct QueueBackend {
    shared: Arc<Shared>,
    lane: usize,
}

impl Consumer {
    /// The backend of this queue; one worker may use it at a time.
    ///
    /// # Panics
    /// When the consumer does not serve the queue.
    pub fn backend(&self, queue: &str) -> QueueBackend {
        let lane = self.shared.lanes.iter().position(|lane| lane.queue == queue);
        QueueBackend { shared: self.shared.clone(), lane: lane.expect("only queues that are served have a backend") }
    }
}

impl QueueBackend {
    fn lane(&self) -> &Lane {
        &self.shared.lanes[self.lane]
    }
}

/// What one task of the worker does: one job, or a batch.
#[derive(Debug, Clone)]
pub struct Work {
    shared: Arc<Shared>,
    lane: usize,
    run: Run,
}

impl Work {
    /// Runs it. Whatever the jobs do, this succeeds: their outcomes are in the report.
    ///
    /// # Errors
    /// Never.
    pub async fn run(self) -> Result<Report, Infallible> {
        Ok(self.shared.executor.run(&self.run.kind, &self.run.generation, &self.run.jobs).await)
    }

    /// The kind of its jobs.
    pub fn kind(&self) -> &'static str {
        self.run.kind.name
    }

    /// The id of its first job.
    pub fn first_id(&self) -> Uuid {
        self.run.jobs[0].holding.id
    }
}

impl Backend for QueueBackend {
    type Task = Task<Work>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Work>, Infallible>>> {
        // A worker whose jobs all end at once would never let others run.
        let coop = ready!(tokio::task::coop::poll_proceed(cx));
        let run = ready!(self.lane().poll_next(cx));
        coop.made_progress();
        metrics::counter!(ATTEMPTS.name, "kind" => run.kind.name).increment(run.jobs.len() as u64);
        let first = &run.jobs[0];
        let (id, attempt) = (TaskId::from_string(first.holding.id), first.attempt.unsigned_abs());
        let work = Work { shared: self.shared.clone(), lane: self.lane, run };
        let task = TaskBuilder::new(work).task_id(id).attempt(attempt.saturating_sub(1).into());
        Poll::Ready(Some(Ok(task.build())))
    }

    /// Ready when every outcome has been written.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        self.lane().poll_idle(cx).map(Ok)
    }
}

impl BackendConfig for QueueBackend {
    type Args = Work;
    type Id = Uuid;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Acknowledge;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Acknowledge {
        Acknowledge
    }
}

/// The outermost layer around each task: it reports the outcome, whatever the layers below made of it.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledge;

impl<S> Layer<S> for Acknowledge {
    type Service = Acknowledged<S>;

    fn layer(&self, inner: S) -> Acknowledged<S> {
        Acknowledged { inner }
    }
}

/// The service of [`Acknowledge`].
#[derive(Debug, Clone)]
pub struct Acknowledged<S> {
    inner: S,
}

impl<S> Service<Task<Work>> for Acknowledged<S>
where
    S: Service<Task<Work>, Response = Report>,
    S::Error: Into<BoxDynError>,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<(), BoxDynError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Work>) -> Self::Future {
        let ticket = Ticket { work: Some(task.args.clone()), began: Instant::now() };
        let ran = self.inner.call(task);
        Box::pin(async move {
            match ran.await {
                Ok(report) => ticket.done(report),
                Err(error) => ticket.failed(error.into()),
            }
            Ok(())
        })
    }
}

/// Sees to it that a run is accounted for, even when its task is dropped.
struct Ticket {
    work: Option<Work>,
    began: Instant,
}

impl Ticket {
    fn done(mut self, report: Report) {
        let work = self.work.take().expect("a ticket is used once");
        let (took, kind) = (self.began.elapsed(), work.run.kind.name);
        metrics::histogram!(RUN_SECONDS.name, "kind" => kind).record(took);
        let waited = metrics::histogram!(WAIT_SECONDS.name, "kind" => kind);
        work.run.jobs.iter().for_each(|job| waited.record(job.waited_s));
        // In this order, so that the last outcome is written without waiting for more.
        work.shared.lanes[work.lane].ended(&work.run, Some(took));
        work.shared.report(Outcome::of(work.lane, kind, report));
    }

    /// A layer failed or panicked, not the jobs; they are tried again.
    fn failed(mut self, error: BoxDynError) {
        let work = self.work.take().expect("a ticket is used once");
        let report = work.shared.executor.failed(&work.run.kind, &work.run.jobs, error);
        work.shared.lanes[work.lane].ended(&work.run, None);
        work.shared.report(Outcome::of(work.lane, work.run.kind.name, report));
    }
}

impl Drop for Ticket {
    /// The task was dropped before its end, as at a stop: the jobs go back with the lease.
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let lane = &work.shared.lanes[work.lane];
            lane.ended(&work.run, None);
            lane.settled(work.run.jobs.len());
        }
    }
}
