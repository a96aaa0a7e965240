//! `bitnexus api`: the role that serves HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use workers::supervisor::signals;

use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::{glue, telemetry};

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
    shutdown: ShutdownArgs,
}

/// Serves until it is asked to stop; then requests in flight end first.
///
/// # Errors
/// When the address cannot be bound, or the database's address is wrong.
pub async fn run(args: ApiArgs) -> Result<ExitCode> {
    let metrics = telemetry::start_metrics()?;
    let render = metrics.clone();
    let shutdown = signals::shutdown(move || render.render())?;
    let pool = args.database.pool("api", args.connections)?;
    let listener = tokio::net::TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("--listen (API_LISTEN): listening on {}", args.listen))?;
    tracing::info!(address = %args.listen, "the api listens");
    glue::serve_api(listener, pool, metrics, shutdown, args.shutdown.timeout()).await?;
    Ok(ExitCode::SUCCESS)
}
