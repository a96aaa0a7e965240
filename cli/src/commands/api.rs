//! `bitnexus api`: the role that serves HTTP.

mod channels;
mod protection;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use api::{ApiConfig, ApiState, Limits};
use clap::Args;
use jobs::record_transaction::Submitter;
use queue::Notifier;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use workers::supervisor::signals;

use self::channels::ChannelsArgs;
use self::protection::ProtectionArgs;
use crate::config::{self, DatabaseArgs, ShutdownArgs};
use crate::discovery::DiscoveryArgs;
use crate::systemd;
use crate::telemetry::{self, Identity, Spans, TelemetryArgs};
use crate::webhooks::ReachArgs;

/// Where the API listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:4000";

/// Serve the HTTP API: /api/v1, /docs, /openapi.json, /livez, /readyz and /metrics.
#[derive(Debug, Args)]
pub struct ApiArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Address that the API listens on. Default: the PORT that a Procfile runner sets, on 127.0.0.1, else 127.0.0.1:4000.
    #[arg(long, value_name = "ADDRESS:PORT", env = "API_LISTEN")]
    listen: Option<SocketAddr>,
    /// How many database connections requests may have; ten more serve all of them together.
    #[arg(long, value_name = "N", env = "API_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    #[command(flatten)]
    protection: ProtectionArgs,
    #[command(flatten)]
    channels: ChannelsArgs,
    #[command(flatten)]
    discovery: DiscoveryArgs,
    #[command(flatten)]
    webhooks: ReachArgs,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

impl ApiArgs {
    /// What a start would refuse beyond what each flag says by itself.
    ///
    /// # Errors
    /// When an address or a file is not what it should be.
    pub(crate) fn check(&self) -> Result<()> {
        self.protection.tls.load()?;
        self.protection.replica(1)?;
        Ok(())
    }
}

/// Serves until it is asked to stop; then requests in flight end first.
///
/// # Errors
/// When the address cannot be bound, or the database's address is wrong.
pub async fn run(args: ApiArgs, telemetry: &TelemetryArgs) -> Result<ExitCode> {
    let spans = Spans::start(telemetry, Identity { role: "api", slot: None })?;
    let (sockets, webhook_reach) = (args.channels.limits()?, args.webhooks.reach());
    let limits = Limits { sockets, webhook_reach, ..args.protection.limits() };
    let tls = args.protection.tls.load()?;
    channels::raise_open_files();
    let metrics = telemetry::start_metrics()?;
    let render = metrics.clone();
    let shutdown = signals::shutdown(move || render.render())?;
    config::end_with_the_runner()?;
    let pool = args.database.pool("api", args.connections)?;
    let replica = args.protection.replica(args.connections)?;
    let address = config::listen(args.listen, LISTEN)?;
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("--listen (API_LISTEN): listening on {address}"))?;
    let address = listener.local_addr()?;
    tracing::info!(%address, "the api listens");
    // Beside the pool of requests: when that is full, its metrics count most.
    tokio::spawn(api::gauges::keep(args.database.pool("api metrics", 1)?));
    let listed = args.discovery.list(pool.clone(), "api", args.protection.tls.scheme(), address);
    let notifier = Notifier::spawn(pool.clone());
    let submitter = Submitter::spawn(pool.clone(), notifier.clone());
    let state = ApiState { pool, submitter, notifier, metrics: Some(metrics), limits, replica };
    tokio::spawn(systemd::keep_told(shutdown.clone()));
    #[cfg(target_os = "linux")]
    tokio::spawn(crate::resting::keep_small());
    let served = api::serve(ApiConfig { listener, state, tls }, shutdown.clone().cancelled_owned());
    tokio::select! {
        served = served => served.context("serving the API")?,
        () = overdue(&shutdown, args.shutdown.timeout()) => tracing::warn!("requests were cut off"),
    }
    listed.leave().await;
    spans.finish().await;
    Ok(ExitCode::SUCCESS)
}

/// Resolves when stopping has taken too long.
async fn overdue(shutdown: &CancellationToken, patience: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(patience).await;
}
