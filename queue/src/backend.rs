//! The queue as a backend of apalis.
//!
//! One worker serves one queue of a [`Consumer`]. It takes [`Work`] from the queue's lane, and the layer around each
//! task hands the outcome to the settling task. [`poll_next`](Backend::poll_next) never fails: a lost connection is the
//! consumer's business, and what cannot be run is a dead letter long before it gets here.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

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

/// For how long a task goes on to the next job where one has ended without waiting for anything. Making a task costs more
/// than such a job does; others who wait for the thread wait no longer than this.
const SLICE: Duration = Duration::from_micros(100);

/// What one task of the worker does: one job, or a batch. A job that ends without ever waiting is followed by the next one of
/// its kind, as long as that is whose turn it is, and for 100 µs at most.
#[derive(Debug, Clone)]
pub struct Work {
    shared: Arc<Shared>,
    lane: usize,
    run: Run,
    course: Arc<Mutex<Course>>,
}

/// Where a task has got to.
#[derive(Debug, Default)]
struct Course {
    /// The run that it is at, if that is not the one that it began with.
    later: Option<Later>,
    /// Nobody takes its report any more.
    is_over: bool,
}

/// A run that followed another one.
#[derive(Debug, Clone)]
struct Later {
    run: Run,
    began: Instant,
}

impl Work {
    fn of(shared: Arc<Shared>, lane: usize, run: Run) -> Work {
        Work { shared, lane, run, course: Arc::default() }
    }

    /// Runs it. Whatever the jobs do, this succeeds: the outcomes of the last run are in the report, and those of the ones
    /// before it have been handed on.
    ///
    /// # Errors
    /// Never.
    pub async fn run(self) -> Result<Report, Infallible> {
        let began = Instant::now();
        let mut at = Later { run: self.run.clone(), began };
        loop {
            at = {
                let Later { run, .. } = &at;
                let mut running = pin!(self.shared.executor.run(&run.kind, &run.generation, &run.jobs));
                let report = match poll_fn(|cx| Poll::Ready(running.as_mut().poll(cx))).await {
                    Poll::Ready(report) if began.elapsed() < SLICE => report,
                    Poll::Ready(report) => return Ok(report),
                    Poll::Pending => return Ok(running.await),
                };
                let took = at.began.elapsed();
                let Some(next) = self.go_on(run, took) else { return Ok(report) };
                self.measure(run, took);
                self.shared.report(Outcome::of(self.lane, run.kind.name, report));
                next
            };
        }
    }

    /// The kind of its jobs.
    pub fn kind(&self) -> &'static str {
        self.run.kind.name
    }

    /// The id of its first job.
    pub fn first_id(&self) -> Uuid {
        self.run.jobs[0].holding.id
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().expect("nothing panics while it is locked")
    }

    /// The run that follows in the place of this one, if there is one whose turn it is.
    fn go_on(&self, run: &Run, took: Duration) -> Option<Later> {
        let mut course = self.course();
        if course.is_over {
            return None;
        }
        let next = self.shared.lanes[self.lane].follow(run, took)?;
        count_attempts(&next);
        let later = Later { run: next, began: Instant::now() };
        course.later = Some(later.clone());
        Some(later)
    }

    /// Lets no run follow; the one that it is at, and when that began, if it is not the first.
    fn end(&self) -> (Run, Option<Instant>) {
        let mut course = self.course();
        course.is_over = true;
        match course.later.take() {
            Some(Later { run, began }) => (run, Some(began)),
            None => (self.run.clone(), None),
        }
    }

    fn measure(&self, run: &Run, took: Duration) {
        let kind = run.kind.name;
        metrics::histogram!(RUN_SECONDS.name, "kind" => kind).record(took);
        let waited = metrics::histogram!(WAIT_SECONDS.name, "kind" => kind);
        run.jobs.iter().for_each(|job| waited.record(job.waited_s));
    }
}

fn count_attempts(run: &Run) {
    metrics::counter!(ATTEMPTS.name, "kind" => run.kind.name).increment(run.jobs.len() as u64);
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
        count_attempts(&run);
        let first = &run.jobs[0];
        let (id, attempt) = (TaskId::from_string(first.holding.id), first.attempt.unsigned_abs());
        let work = Work::of(self.shared.clone(), self.lane, run);
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
        let (run, began) = work.end();
        let took = began.unwrap_or(self.began).elapsed();
        work.measure(&run, took);
        // In this order, so that the last outcome is written without waiting for more.
        work.shared.lanes[work.lane].ended(&run, Some(took));
        work.shared.report(Outcome::of(work.lane, run.kind.name, report));
    }

    /// A layer failed or panicked, not the jobs; they are tried again.
    fn failed(mut self, error: BoxDynError) {
        let work = self.work.take().expect("a ticket is used once");
        let (run, _) = work.end();
        let report = work.shared.executor.failed(&run.kind, &run.jobs, error);
        work.shared.lanes[work.lane].ended(&run, None);
        work.shared.report(Outcome::of(work.lane, run.kind.name, report));
    }
}

impl Drop for Ticket {
    /// The task was dropped before its end, as at a stop: the jobs go back with the lease.
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let (lane, (run, _)) = (&work.shared.lanes[work.lane], work.end());
            lane.ended(&run, None);
            lane.settled(run.jobs.len());
        }
    }
}
