//! `bitnexus api`: the role that serves HTTP.

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

use self::protection::ProtectionArgs;
use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::telemetry;
use crate::webhooks::ReachArgs;

/// Where the API listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:4000";

/// Serve the HTTP API: /api/v1, /docs, /openapi.json, /livez, /readyz and /metrics.
#[derive(Debug, Args)]
pub struct ApiArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Address that the API listens on.
    #[arg(long, value_name = "ADDRESS:PORT", env = "API_LISTEN", default_value = LISTEN)]
    listen: SocketAddr,
    /// How many database connections the API may have.
    #[arg(long, value_name = "N", env = "API_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    connections: u32,
    #[command(flatten)]
    protection: ProtectionArgs,
    #[command(flatten)]
    webhooks: ReachArgs,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

/// Serves until it is asked to stop; then requests in flight end first.
///
/// # Errors
/// When the address cannot be bound, or the database's address is wrong.
pub async fn run(args: ApiArgs) -> Result<ExitCode> {
    let (tls, limits) = (args.protection.tls()?, args.protection.limits());
    let limits = Limits { webhook_reach: args.webhooks.reach(), ..limits };
    let metrics = telemetry::start_metrics()?;
    let render = metrics.clone();
    let shutdown = signals::shutdown(move || render.render())?;
    let pool = args.database.pool("api", args.connections)?;
    let replica = args.protection.replica(args.connections)?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("--listen (API_LISTEN): listening on {}", args.listen))?;
    tracing::info!(address = %args.listen, "the api listens");
    let notifier = Notifier::spawn(pool.clone());
    let submitter = Submitter::spawn(pool.clone(), notifier.clone());
    let state = ApiState { pool, submitter, notifier, metrics: Some(metrics), limits, replica };
    let served = api::serve(ApiConfig { listener, state, tls }, shutdown.clone().cancelled_owned());
    tokio::select! {
        served = served => served.context("serving the API")?,
        () = overdue(&shutdown, args.shutdown.timeout()) => tracing::warn!("requests were cut off"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Resolves when stopping has taken too long.
async fn overdue(shutdown: &CancellationToken, patience: Duration) {
    shutdown.cancelled().await;
    tokio::time::sleep(patience).await;
}
