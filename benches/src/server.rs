//! A PostgreSQL of a suite's own, set up as a careful production server, and databases on it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool};

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
    main: Database,
}

/// One of its databases.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    options: PgConnectOptions,
    /// Its address, for another process.
    pub(crate) url: String,
}

impl Server {
    /// Starts one and migrates its database.
    ///
    /// # Errors
    /// When PostgreSQL is not found or does not start.
    pub(crate) async fn start() -> Result<Server> {
        let server = Server::bare(&[]).await?;
        migrate(&server.pool(1).await?).await.context("migrating an empty database")?;
        Ok(server)
    }

    /// Starts one without our schema, with further settings.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) async fn bare(settings: &[&str]) -> Result<Server> {
        let cluster = Ephemeral::start(&[&SETTINGS, settings].concat())?;
        let main = Database { options: cluster.options("postgres"), url: cluster.url("postgres") };
        Ok(Server { cluster, main })
    }

    /// The address of the database, for another process.
    pub(crate) fn url(&self) -> String {
        self.main.url.clone()
    }

    /// The process that the server's others are below.
    pub(crate) fn pid(&self) -> u32 {
        let file = std::fs::read_to_string(self.cluster.folder().join("data/postmaster.pid")).unwrap_or_default();
        file.lines().next().and_then(|line| line.parse().ok()).unwrap_or_default()
    }

    /// Where its write-ahead log lies.
    pub(crate) fn wal_folder(&self) -> PathBuf {
        self.cluster.folder().join(Path::new("data/pg_wal"))
    }

    /// Connections to the database, at most this many.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn pool(&self, connections_max: u32) -> Result<PgPool> {
        self.main.pool(connections_max).await
    }

    /// Puts the server at rest; see [`Database::settle`].
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn settle(&self) -> Result<()> {
        self.main.settle().await
    }

    /// An empty database of its own for one measurement; that of an earlier one goes, so that there is only ever one.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn fresh(&self) -> Result<Database> {
        let pool = self.pool(1).await?;
        sqlx::query("drop database if exists measured with (force)").execute(&pool).await?;
        sqlx::query("create database measured").execute(&pool).await?;
        Ok(Database { options: self.cluster.options("measured"), url: self.cluster.url("measured") })
    }

    /// The same with our schema in place.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn fresh_of_ours(&self) -> Result<Database> {
        let database = self.fresh().await?;
        migrate(&database.pool(1).await?).await.context("migrating an empty database")?;
        Ok(database)
    }
}

impl Database {
    /// Connections to it, at most this many; they are not tested before each use.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn pool(&self, connections_max: u32) -> Result<PgPool> {
        let options = queue::pool_options().max_connections(connections_max).min_connections(1);
        let options = options.before_acquire(|_, _| Box::pin(async { Ok(true) }));
        options.connect_with(self.options.clone()).await.context("connecting to the suite's own database")
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

    /// The one number that a statement of this program's own answers.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn number(&self, statement: &'static str) -> Result<i64> {
        let pool = self.pool(1).await?;
        Ok(sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&pool).await?)
    }
}
