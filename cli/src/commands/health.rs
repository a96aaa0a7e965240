//! `bitnexus health`: asks a role on this machine how it is, for a container that has no other program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use tokio::time::timeout;

use super::{api, worker};
use crate::ask::ask;
use crate::config::{listen, seconds};

/// A role that listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Asks `/readyz`: the API gets no requests while its database is away.
    Api,
    /// Asks `/livez`: workers wait for a database that is away.
    Worker,
}

/// Ask a role on this machine whether it is well; the exit status is 0 when it is, else 1.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// The role. Default: the one that is process 1, as in a container; what is none of them has nothing to be asked.
    role: Option<Role>,
    /// Address that the API listens on. Default: as the role takes it.
    #[arg(long, value_name = "ADDRESS:PORT", env = "API_LISTEN")]
    api_listen: Option<SocketAddr>,
    /// Address that the workers' metrics page is served on. Default: as the role takes it.
    #[arg(long, value_name = "ADDRESS:PORT", env = "METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// The API's certificate, if it speaks TLS; it is known by that alone, whatever its names.
    #[arg(long, value_name = "FILE", env = "API_TLS_CERT")]
    tls_cert: Option<PathBuf>,
    /// Seconds that the answer may take.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    timeout: Duration,
}

/// Asks.
///
/// # Errors
/// When nobody answers, or the answer is not that all is well.
pub async fn run(args: HealthArgs) -> Result<ExitCode> {
    let Some(role) = args.role.or_else(first_process) else { return Ok(ExitCode::SUCCESS) };
    let (address, path) = match role {
        Role::Api => (listen(args.api_listen, api::LISTEN)?, "/readyz"),
        Role::Worker => (listen(args.metrics_listen, worker::METRICS_LISTEN)?, "/livez"),
    };
    let certificate = args.tls_cert.as_deref().filter(|_| role == Role::Api);
    timeout(args.timeout, ask(address, path, certificate))
        .await
        .with_context(|| format!("{address} did not answer in {:?}", args.timeout))??;
    Ok(ExitCode::SUCCESS)
}

/// The role that process 1 was started as.
fn first_process() -> Option<Role> {
    let line = std::fs::read_to_string("/proc/1/cmdline").ok()?;
    line.split('\0').skip(1).find_map(|word| Role::from_str(word, false).ok())
}
