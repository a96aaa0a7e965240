//! Logs and the metrics recorder, set up once at the start of a process.

use std::io::{IsTerminal, stderr};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::EnvFilter;

/// What is logged unless told otherwise: libraries only when something is wrong.
const DEFAULT_LOG: &str = "info,sqlx=warn,poem=warn,hyper=warn,tower=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
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
        default_value = "text",
        global = true,
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by module such as `info,queue=debug`.
    #[arg(long, value_name = "FILTER", env = "RUST_LOG", default_value = DEFAULT_LOG, global = true, help_heading = "Logs")]
    pub log: String,
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
        let format = match self.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        command.env("LOG_FORMAT", format).env("RUST_LOG", &self.log);
    }

    /// Starts logging.
    ///
    /// # Errors
    /// When the filter is not one.
    pub fn start_logging(&self) -> Result<()> {
        let filter = EnvFilter::try_new(&self.log).with_context(|| format!("--log (RUST_LOG): `{}`", self.log))?;
        let subscriber =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal());
        // Who reads the log may have gone before us; complaining there about that would panic.
        let subscriber = subscriber.log_internal_errors(false);
        match self.log_format {
            LogFormat::Text => subscriber.init(),
            LogFormat::Json => subscriber.json().flatten_event(true).init(),
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
