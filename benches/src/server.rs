//! A PostgreSQL of a suite's own, set up as a careful production server, with the schema in place.

use anyhow::{Context, Result};
use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// The settings that figures depend on.
pub(crate) const SETTINGS: [&str; 6] = [
    "fsync=on",
    "synchronous_commit=on",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "checkpoint_timeout=15min",
    "max_connections=200",
];

/// The server; it ends, and its folder goes, when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    cluster: Ephemeral,
}

impl Server {
    /// Starts one and migrates its database.
    ///
    /// # Errors
    /// When PostgreSQL is not found or does not start.
    pub(crate) async fn start() -> Result<Server> {
        let server = Server { cluster: Ephemeral::start(&SETTINGS)? };
        migrate(&server.pool(1).await?).await.context("migrating an empty database")?;
        Ok(server)
    }

    /// The address of the database, for another process.
    pub(crate) fn url(&self) -> String {
        self.cluster.url("postgres")
    }

    /// The process that the server's others are below.
    pub(crate) fn pid(&self) -> u32 {
        let file = std::fs::read_to_string(self.cluster.folder().join("data/postmaster.pid")).unwrap_or_default();
        file.lines().next().and_then(|line| line.parse().ok()).unwrap_or_default()
    }

    /// Connections to the database, at most this many.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn pool(&self, connections_max: u32) -> Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(connections_max).min_connections(1);
        options.connect_with(self.cluster.options("postgres")).await.context("connecting to the suite's own database")
    }

    /// Puts the server at rest, as after a quiet hour: statistics are fresh, and no checkpoint is due.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn settle(&self) -> Result<()> {
        let pool = self.pool(1).await?;
        for statement in ["vacuum analyze", "checkpoint"] {
            sqlx::query(statement).execute(&pool).await?;
        }
        Ok(())
    }
}
