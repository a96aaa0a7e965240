//! What being observed costs: the drain with the recorder of the service and JSON log lines, beside one without.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{PrometheusHandle, PrometheusRecorder};
use tokio::task::JoinHandle;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::drain::filled_drain;
use super::{DRAINED, Plan};
use crate::report::Report;
use crate::server::Server;

/// How often the page is rendered meanwhile, much more often than Prometheus asks.
const SCRAPE_GAP: Duration = Duration::from_secs(1);

/// Whether the recorder records.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Adds `queue.drain_observed`, and its ratio to drains of the same run that take turns with it.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let observer = Observer::install()?;
    let (mut plain, mut observed) = (Vec::new(), Vec::new());
    for _ in 0..plan.repetitions() {
        for (is_on, rates) in [(false, &mut plain), (true, &mut observed)] {
            observer.turn(is_on)?;
            let database = server.fresh_of_ours().await?;
            rates.push(filled_drain(&database, DRAINED, DRAINED).await?);
        }
    }
    observer.turn(false)?;
    observer.scrapes.abort();
    report.add_median("queue.drain_unobserved", plain, "jobs/s");
    report.add_median("queue.drain_observed", observed, "jobs/s");
    report.add_ratio("queue.drain_observed.ratio_to_unobserved", "queue.drain_observed", "queue.drain_unobserved");
    Ok(())
}

type Lines = Option<Box<dyn Layer<Registry> + Send + Sync>>;

/// The recorder and the subscriber of this process, which can be turned on and off.
struct Observer {
    lines: reload::Handle<Lines, Registry>,
    scrapes: JoinHandle<()>,
}

impl Observer {
    fn install() -> Result<Observer> {
        let recorder = cli::telemetry::recorder()?;
        let handle = recorder.handle();
        metrics::set_global_recorder(Switch(recorder)).ok().context("there is a recorder already")?;
        let (layer, lines) = reload::Layer::new(None);
        tracing_subscriber::registry().with(layer).try_init().context("there is a subscriber already")?;
        Ok(Observer { lines, scrapes: tokio::spawn(scrape(handle)) })
    }

    fn turn(&self, is_on: bool) -> Result<()> {
        IS_ON.store(is_on, Ordering::Relaxed);
        let layer = if is_on { Some(json_lines()?) } else { None };
        self.lines.reload(layer).context("turning the subscriber")
    }
}

/// As the service writes them, into nothing.
fn json_lines() -> Result<Box<dyn Layer<Registry> + Send + Sync>> {
    let nothing = File::create("/dev/null").context("opening /dev/null")?;
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(nothing);
    Ok(lines.with_filter(EnvFilter::new("info,sqlx=warn")).boxed())
}

async fn scrape(handle: PrometheusHandle) {
    let mut ticks = tokio::time::interval(SCRAPE_GAP);
    loop {
        ticks.tick().await;
        if IS_ON.load(Ordering::Relaxed) {
            drop(handle.render());
        }
    }
}

/// Records while it is on.
struct Switch(PrometheusRecorder);

impl Recorder for Switch {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_counter(key, unit, description);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_gauge(key, unit, description);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, description: SharedString) {
        self.0.describe_histogram(key, unit, description);
    }

    fn register_counter(&self, key: &Key, metadata: &Metadata<'_>) -> Counter {
        if IS_ON.load(Ordering::Relaxed) { self.0.register_counter(key, metadata) } else { Counter::noop() }
    }

    fn register_gauge(&self, key: &Key, metadata: &Metadata<'_>) -> Gauge {
        if IS_ON.load(Ordering::Relaxed) { self.0.register_gauge(key, metadata) } else { Gauge::noop() }
    }

    fn register_histogram(&self, key: &Key, metadata: &Metadata<'_>) -> Histogram {
        if IS_ON.load(Ordering::Relaxed) { self.0.register_histogram(key, metadata) } else { Histogram::noop() }
    }
}
