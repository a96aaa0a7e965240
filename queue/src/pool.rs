//! Pools whose connections come without what somebody else began on them, and connections that stay with one task.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

/// A connection that stood idle for longer is checked before it is used.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// Options of a pool that hands out connections which are alive and in no transaction; every pool of the service begins with these.
///
/// With sqlx 0.9.0, a `begin` that is dropped before the server has answered (a client hung up, a time ran out) leaves its connection in a
/// transaction that nobody ends, and a pool passes it on: what the next one writes there is confirmed to it, and not committed. See
/// <https://github.com/transact-rs/sqlx/issues/4393>. A check before each use ends what was begun; it takes the one round trip
/// of sqlx's own check, whose place it has.
pub fn pool_options() -> PgPoolOptions {
    #[expect(clippy::disallowed_methods, reason = "here is what the others are to call")]
    let options = PgPoolOptions::new().test_before_acquire(false);
    options.before_acquire(|conn, _| {
        // The first half keeps the server from warning of a transaction that is not there.
        Box::pin(async move { conn.execute("begin; rollback").await.map(|_| true) })
    })
}

/// The same for a pool on which nothing that has begun is ever dropped: a connection is only checked after it has stood idle, since a check
/// before each use doubles the way of what is short.
pub fn steady_pool_options() -> PgPoolOptions {
    pool_options().before_acquire(|conn, meta| {
        Box::pin(async move {
            if meta.idle_for > IDLE_MAX {
                conn.ping().await?;
            }
            Ok(true)
        })
    })
}

/// A connection that one task keeps: a pool asks the server each time that one is given back, and often before it is handed out,
/// whether it still lives, which is as long a way as that of a short statement.
#[derive(Debug)]
pub struct Kept {
    pool: PgPool,
    conn: Option<PoolConnection<Postgres>>,
    /// When the last statement was answered; none while one is under way, or after one of which that is unknown.
    answered: Option<Instant>,
}

impl Kept {
    /// One of this pool's, opened on first use. The pool has room for all that are kept.
    pub fn new(pool: PgPool) -> Kept {
        Kept { pool, conn: None, answered: None }
    }

    /// The connection, in no transaction. Say [`Kept::answered`] after its last statement has succeeded: otherwise, and after a
    /// second of standing idle, it is looked at before it is used again, and replaced if it is lost.
    ///
    /// # Errors
    /// As the pool's, when there is no connection to be had.
    pub async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        let is_sure = self.answered.take().is_some_and(|at| at.elapsed() <= IDLE_MAX);
        if let Some(conn) = self.conn.as_mut().filter(|_| !is_sure) {
            let patience = self.pool.options().get_acquire_timeout();
            if !matches!(timeout(patience, conn.execute("begin; rollback")).await, Ok(Ok(_))) {
                self.close();
            }
        }
        if self.conn.is_none() {
            self.conn = Some(self.pool.acquire().await?);
        }
        Ok(self.conn.as_mut().expect("it was there or has just been opened"))
    }

    /// The last statement has succeeded, and nothing is open.
    pub fn answered(&mut self) {
        self.answered = Some(Instant::now());
    }

    /// Gives it up: the answer to what is under way may never come.
    pub fn close(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            conn.close_on_drop();
        }
    }
}
