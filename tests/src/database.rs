//! One private PostgreSQL for each test process; each test gets a copy of a migrated template database, which goes after it.

use std::cell::RefCell;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::postgres::{PgConnectOptions, PgListener};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::OnceCell;

/// The database that each test's own is copied from.
const TEMPLATE: &str = "template_bitnexus";

/// What the tests check of every job, and the service does not.
const JOB_CHECKS: &str = include_str!("job_checks.sql");
/// Makes a test's database what an operator has.
pub const AS_INSTALLED: &str = "alter table queue.job drop constraint if exists tests_check";

static CLUSTER: OnceLock<Ephemeral> = OnceLock::new();
static TEMPLATE_MADE: OnceCell<()> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Databases of tests that have ended. Hundreds of them take more room than a machine may have left.
static ENDED: Mutex<Vec<String>> = Mutex::new(Vec::new());
/// How many ended tests' databases are dropped together: each drop makes the server write its changed pages.
const DROPPED_TOGETHER: usize = 16;

/// The databases that the test on this thread has made: a test is a thread, so they are no longer needed when it ends.
struct Made(RefCell<Vec<String>>);

thread_local! {
    static MADE: Made = const { Made(RefCell::new(Vec::new())) };
}

impl Drop for Made {
    fn drop(&mut self) {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).append(self.0.get_mut());
    }
}

/// A database of a test's own.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// Makes a migrated database, which stays until the calling test ends; the first caller in the process starts PostgreSQL.
    pub async fn create() -> Database {
        TEMPLATE_MADE.get_or_init(make_template).await;
        drop_ended().await;
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        execute(&format!("create database {name} template {TEMPLATE}")).await;
        MADE.with(|made| made.0.borrow_mut().push(name.clone()));
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
        let settings = ["fsync=off", "max_connections=300", "max_wal_size=256MB", "log_min_messages=warning"];
        Ephemeral::start(&settings).expect("the tests need PostgreSQL 14 or newer on this machine")
    })
}

async fn make_template() {
    execute(&format!("create database {TEMPLATE}")).await;
    let pool = PgPool::connect_with(cluster().options(TEMPLATE)).await.expect("the new template accepts connections");
    migrate(&pool).await.expect("the migrations apply to an empty database");
    sqlx::raw_sql(JOB_CHECKS).execute(&pool).await.expect("an empty table keeps to anything");
    pool.close().await;
}

/// Drops the databases of ended tests, once there are enough of them; what such a test has left behind may still be connected.
async fn drop_ended() {
    let ended = {
        let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() < DROPPED_TOGETHER {
            return;
        }
        mem::take(&mut *ended)
    };
    for name in ended {
        // One that cannot be dropped, say for a transaction that a failed test has left prepared, takes room and fails no other.
        let _ = try_execute(&format!("drop database {name} with (force)")).await;
    }
}

/// Runs one statement in the maintenance database.
async fn execute(statement: &str) {
    try_execute(statement).await.expect("PostgreSQL is up, and DDL of ours runs");
}

async fn try_execute(statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(&cluster().options("postgres")).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    Ok(())
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

/// The next message: its text, and the name of the session that sent it.
pub async fn told_by(listener: &mut PgListener, pool: &PgPool) -> (String, String) {
    let message = listener.recv().await.expect("the listener reconnects");
    let session = sqlx::query_scalar("select application_name from pg_stat_activity where pid = $1");
    let session = session.bind(message.process_id() as i32).fetch_one(pool).await;
    (message.payload().to_owned(), session.expect("who sent it is still connected"))
}
