//! One private PostgreSQL for each test process; each test gets a copy of a migrated template database.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;

/// The database that each test's own is copied from.
const TEMPLATE: &str = "template_bitnexus";

static CLUSTER: OnceLock<Ephemeral> = OnceLock::new();
static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of a test's own.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// Makes a migrated database; the first caller in the process starts PostgreSQL.
    pub async fn create() -> Database {
        TEMPLATE_MADE.get_or_init(make_template).await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&format!("create database {name} template {TEMPLATE}")).await;
        Database { name }
    }

    /// Connection options for it, for a test that opens connections of its own.
    pub fn options(&self) -> PgConnectOptions {
        cluster().options(&self.name)
    }

    /// Its address, for another process.
    pub fn url(&self) -> String {
        cluster().url(&self.name)
    }

    /// A pool of at most `connections_max` connections to it.
    pub async fn pool(&self, connections_max: u32) -> PgPool {
        let pool = queue::pool_options().max_connections(connections_max);
        pool.connect_with(self.options()).await.expect("the test's own database accepts connections")
    }
}

/// The private PostgreSQL of this process; it ends, and its folder goes, when the process does.
fn cluster() -> &'static Ephemeral {
    CLUSTER.get_or_init(|| {
        // A test proves logic, not the disk: nothing here outlives the process, so nothing needs a flush.
        let settings = ["fsync=off", "max_connections=300", "log_min_messages=warning"];
        Ephemeral::start(&settings).expect("the tests need PostgreSQL 14 or newer on this machine")
    })
}

async fn make_template() {
    execute(&format!("create database {TEMPLATE}")).await;
    let pool = PgPool::connect_with(cluster().options(TEMPLATE)).await.expect("the new template accepts connections");
    migrate(&pool).await.expect("the migrations apply to an empty database");
    pool.close().await;
}

/// Runs one statement in the maintenance database.
async fn execute(statement: &str) {
    let mut connection = PgConnection::connect_with(&cluster().options("postgres")).await.expect("PostgreSQL is up");
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.expect("DDL of ours runs");
}

/// Returns once a session of the pool's database waits for another one's lock: the signal that a race is on.
pub async fn until_blocked(pool: &PgPool) {
    let blocked = "select exists (
        select from pg_stat_activity
        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0
    )";
    while !sqlx::query_scalar::<_, bool>(blocked).fetch_one(pool).await.expect("the database answers") {
        tokio::task::yield_now().await;
    }
}
