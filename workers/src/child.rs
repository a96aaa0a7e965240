//! One worker process: apalis workers, one for each queue, over the queue's backend.

use std::io;
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::prelude::{Event, Monitor, WorkerBuilder};
use queue::backend::{Consumer, ConsumerConfig, QueueBackend, Work};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::supervisor::lifeline::Readiness;

/// How a worker process runs.
#[derive(Debug)]
pub struct ChildConfig {
    /// What it runs, and how it takes part in the queue.
    pub consumer: ConsumerConfig,
    /// How long running jobs may take to end after the shutdown signal; then they are interrupted and given back.
    pub deadline: Duration,
    /// How long, after that, the last outcomes may take to be written.
    pub patience: Duration,
    /// Told the id of the process's lease, once it is registered.
    pub registered: Option<oneshot::Sender<Uuid>>,
    /// Told then as well: the process is at work.
    pub readiness: Readiness,
}

impl ChildConfig {
    /// The usual times: 20 s for running jobs, 5 s for their outcomes.
    pub fn new(consumer: ConsumerConfig) -> ChildConfig {
        let (deadline, patience) = (Duration::from_secs(20), Duration::from_secs(5));
        ChildConfig { consumer, deadline, patience, registered: None, readiness: Readiness::default() }
    }
}

/// Runs jobs until `shutdown` completes, then stops in order: nothing more is claimed, what was not begun goes back at
/// once, what runs may end within the deadline, the outcomes are written, and the lease is given up.
///
/// Neither a failing job nor a lost database ends it.
///
/// # Errors
/// When a worker cannot go on, which is a defect.
pub async fn run(config: ChildConfig, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    let ChildConfig { consumer, deadline, patience, registered, readiness } = config;
    let consumer = Consumer::start(consumer);
    let mut monitor = Monitor::new()
        .should_restart(|worker, error| {
            tracing::error!(worker = worker.name(), %error, "a worker ended and is started again");
            true
        })
        .on_event(|worker, event| {
            if let Event::Error(error) = event {
                tracing::error!(worker = worker.name(), %error, "a task failed outside its job");
            }
        })
        .with_terminator(async move { tokio::time::sleep(deadline).await });
    for queue in consumer.queues() {
        monitor = register(monitor, queue, consumer.backend(queue));
    }
    let announce = async {
        let id = consumer.registered().await;
        readiness.declare();
        // Whoever asked may have gone; that is no reason to stop.
        let _ = registered.map(|registered| registered.send(id));
        std::future::pending::<()>().await;
    };
    let stop = async {
        shutdown.await;
        tracing::info!("stopping: nothing more is claimed, what runs may end");
        consumer.stop_claiming();
        io::Result::Ok(())
    };
    let ended = tokio::select! {
        ended = monitor.run_with_signal(stop) => ended,
        () = announce => unreachable!("announcing waits for ever"),
    };
    consumer.finish(patience).await;
    Ok(ended?)
}

/// Adds the worker of one queue: its layers contain a panic, and give each task a span.
fn register(monitor: Monitor, queue: &str, backend: QueueBackend) -> Monitor {
    let name = format!("queue-{queue}");
    monitor.register(move |_restarts| {
        WorkerBuilder::new(name.clone())
            .backend(backend.clone())
            .catch_panic()
            .enable_tracing()
            // A task of its own for each, so that one that computes for long keeps no other from running.
            .build(|work: Work| async { tokio::spawn(work.run()).await.map(|Ok(report)| report) })
    })
}
