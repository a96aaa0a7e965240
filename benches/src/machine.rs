//! What was measured on.

use std::fmt;
use std::fs;

use anyhow::Result;
use serde::Serialize;

use crate::server::{SETTINGS, Server};

/// The machine and its PostgreSQL.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    memory_mib: u64,
    cpu: String,
    kernel: String,
    postgresql: String,
    /// Of the last one, five and fifteen minutes before the first measurement: above 0.1, others were at work as well.
    load_before: String,
    settings: &'static [&'static str],
}

impl Machine {
    /// This machine, before anything is measured, with the PostgreSQL that the suites start.
    pub(crate) async fn this() -> Result<Machine> {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let server = Server::bare(&[]).await?;
        let postgresql = sqlx::query_scalar("show server_version").fetch_one(&server.pool(1).await?).await?;
        Ok(Machine {
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: field("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1_024,
            cpu: field("/proc/cpuinfo", "model name"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            postgresql,
            load_before: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
            settings: &SETTINGS,
        })
    }
}

/// The first value of this name in a file of `name : value` lines; empty where there is none.
fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} cores of {}, {} MiB, Linux {}", self.cores, self.cpu, self.memory_mib, self.kernel)?;
        writeln!(out, "PostgreSQL {} with {}", self.postgresql, self.settings.join(", "))?;
        writeln!(out, "load average before: {}", self.load_before)
    }
}
