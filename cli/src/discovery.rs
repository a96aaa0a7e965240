//! Tells where this role's metrics are, for as long as it runs.

use std::net::SocketAddr;

use clap::Args;
use ledger::Book;
use queue::instance::{self, Instance};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where others find the metrics.
#[derive(Debug, Clone, Args)]
pub struct DiscoveryArgs {
    /// Host and port under which Prometheus reaches this role's /metrics. Default: where it listens, under the machine's
    /// name if that is every address.
    #[arg(long, value_name = "HOST:PORT", env = "METRICS_ADVERTISE")]
    metrics_advertise: Option<String>,
}

/// A role that is listed.
pub struct Listed {
    leave: CancellationToken,
    kept: JoinHandle<()>,
}

impl DiscoveryArgs {
    /// Lists the role, `api` or `worker`, which serves its metrics on `listen`.
    pub fn list(&self, pool: PgPool, role: &'static str, scheme: &'static str, listen: SocketAddr) -> Listed {
        let address = self.metrics_advertise.clone().unwrap_or_else(|| instance::advertised(listen));
        let instance = Instance { role, scheme, address, version: env!("CARGO_PKG_VERSION") };
        let leave = CancellationToken::new();
        let kept = tokio::spawn(instance::keep(pool, Book::MAIN.shard, instance, leave.clone()));
        Listed { leave, kept }
    }
}

impl Listed {
    /// Takes the role off the list; takes a second at most.
    pub async fn leave(self) {
        self.leave.cancel();
        // It ends by itself; were it to panic, the role would be off the list soon.
        let _ = self.kept.await;
    }
}
