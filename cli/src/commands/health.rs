//! `bitnexus health`: asks a role on this machine how it is, for a container that has no other program.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{api, worker};
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
    /// The API's certificate, if it speaks TLS: then only whether it accepts connections is asked.
    #[arg(long, value_name = "FILE", env = "API_TLS_CERT")]
    tls_cert: Option<std::path::PathBuf>,
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
    let address = reachable(address);
    let is_tls = role == Role::Api && args.tls_cert.is_some();
    let asked = async { if is_tls { connect(address).await } else { ask(address, path).await } };
    timeout(args.timeout, asked).await.with_context(|| format!("{address} did not answer in {:?}", args.timeout))??;
    Ok(ExitCode::SUCCESS)
}

/// The role that process 1 was started as.
fn first_process() -> Option<Role> {
    let line = std::fs::read_to_string("/proc/1/cmdline").ok()?;
    line.split('\0').skip(1).find_map(|word| Role::from_str(word, false).ok())
}

/// Who listens on every address is reached over the loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn connect(address: SocketAddr) -> Result<()> {
    TcpStream::connect(address).await.map(drop).with_context(|| format!("connecting to {address}"))
}

async fn ask(address: SocketAddr, path: &str) -> Result<()> {
    // A proxy of the environment is for addresses elsewhere.
    let client = reqwest::Client::builder().no_proxy().build().context("making the client")?;
    let url = format!("http://{address}{path}");
    let answer = client.get(&url).send().await.with_context(|| format!("asking {url}"))?;
    if !answer.status().is_success() {
        bail!("{url} answers {}", answer.status());
    }
    Ok(())
}
