//! One run of a rival's driver; what it understands and says stands in `benches/rivals/rust/src/main.rs`.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use super::Installed;
use crate::server::Database;

/// The longest that anything takes: millions of jobs enqueued.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// The process; it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Driver {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Driver {
    /// Starts it on a database.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn start(
        rival: &Installed,
        database: &Database,
        action: &str,
        numbers: &[usize],
    ) -> Result<Driver> {
        let mut command = rival.command();
        command.arg(action).args(numbers.iter().map(usize::to_string)).env("DATABASE_URL", &database.url);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("starting the driver of {}", rival.name()))?;
        let output = process.stdout.take().context("its output is a pipe")?;
        Ok(Driver { process, lines: BufReader::new(output).lines() })
    }

    /// Waits for this event; other lines are not for us.
    ///
    /// # Errors
    /// When the driver ends without it, or takes too long.
    pub(super) async fn event(&mut self, name: &str) -> Result<Value> {
        let event = tokio::time::timeout(PATIENCE, self.next(name)).await;
        event.with_context(|| format!("no {name:?} within {PATIENCE:?}"))?
    }

    async fn next(&mut self, name: &str) -> Result<Value> {
        while let Some(line) = self.lines.next_line().await? {
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event["event"] == name => return Ok(event),
                _ => eprintln!("{line}"),
            }
        }
        bail!("the driver ended with {} before it said {name:?}", self.process.wait().await?)
    }

    /// Waits for this event, and answers its jobs a second.
    ///
    /// # Errors
    /// As [`Driver::event`].
    pub(super) async fn rate(&mut self, name: &str) -> Result<f64> {
        let event = self.event(name).await?;
        let number = |name: &str| event[name].as_f64().with_context(|| format!("no {name} in {event}"));
        Ok(number("jobs")? / number("seconds")?)
    }
}
