//! Logs, spans and the metrics recorder, set up once at the start of a process.

mod format;
mod spans;

use std::fmt;
use std::io::{IsTerminal, stderr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::JsonFields;

use format::{JsonLine, TextLine};
pub use spans::Spans;

/// What is logged unless told otherwise: libraries only when something is wrong.
const DEFAULT_LOG: &str = "info,sqlx=warn,poem=warn,hyper=warn,tower=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people on a terminal, for machines otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Args)]
pub struct TelemetryArgs {
    /// How log lines look; they go to the standard error.
    #[arg(
        long,
        value_name = "FORMAT",
        env = "LOG_FORMAT",
        default_value = "auto",
        global = true,
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module such as `info,queue=debug`.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = DEFAULT_LOG, global = true, help_heading = "Logs")]
    pub log: String,
    /// Address of an OpenTelemetry collector that spans are sent to by OTLP over HTTP, such as http://localhost:4318. The
    /// other variables of OpenTelemetry count too, such as OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and OTEL_BSP_*.
    #[arg(
        long,
        value_name = "URL",
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true,
        global = true,
        help_heading = "Logs"
    )]
    pub otlp_endpoint: Option<String>,
}

/// Which of our processes this is, as its log lines and spans say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// What it does: `api`, `worker`, `supervisor`, `up` or `command`.
    pub role: &'static str,
    /// Which of its supervisor's children it is, if there are several.
    pub slot: Option<u16>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot {
            Some(slot) => write!(f, "{}.{slot}", self.role),
            None => f.write_str(self.role),
        }
    }
}

/// Upper bounds, in seconds, of what is timed: from a statement to a job that waited for an hour.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// Upper bounds of what is counted by the batch.
const SIZES: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0];

/// How often the recorder tidies its histograms.
const UPKEEP: Duration = Duration::from_secs(5);

impl TelemetryArgs {
    /// Has a child process log as this one does.
    pub fn pass_on(&self, command: &mut Command) {
        let format = if self.is_json() { "json" } else { "text" };
        command.env("LOG_FORMAT", format).env("RUST_LOG", &self.log);
        if let Some(endpoint) = &self.otlp_endpoint {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        }
    }

    fn is_json(&self) -> bool {
        match self.log_format {
            LogFormat::Auto => !stderr().is_terminal(),
            LogFormat::Text => false,
            LogFormat::Json => true,
        }
    }

    /// Starts logging; each line says whose it is.
    ///
    /// # Errors
    /// When the filter is not one.
    pub fn start_logging(&self, identity: Identity) -> Result<()> {
        let filter = EnvFilter::try_new(&self.log).with_context(|| format!("--log (RUST_LOG): `{}`", self.log))?;
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
        // Who reads the log may have gone before us; complaining there about that would panic.
        let subscriber = subscriber.log_internal_errors(false);
        if self.is_json() {
            subscriber.fmt_fields(JsonFields::new()).event_format(JsonLine(identity)).init();
        } else {
            subscriber.event_format(TextLine(identity)).init();
        }
        Ok(())
    }
}

/// The recorder of every process of ours, not installed.
///
/// # Errors
/// When its buckets are none, which is a defect.
pub fn recorder() -> Result<PrometheusRecorder> {
    // Without buckets a histogram becomes a summary, and summaries of several processes cannot be added.
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS)?;
    Ok(builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &SIZES)?.build_recorder())
}

/// Installs the recorder of this process and keeps it tidy. To be called once, inside a runtime.
///
/// # Errors
/// When there is a recorder already.
pub fn start_metrics() -> Result<PrometheusHandle> {
    let recorder = recorder()?;
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("there is a metrics recorder already")?;
    let recorder = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            handle.run_upkeep();
        }
    });
    Ok(recorder)
}
