//! Pools whose connections come without what somebody else began on them.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, Executor};

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
