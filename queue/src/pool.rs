//! Pools whose connections come without what somebody else began on them.

use sqlx::Executor;
use sqlx::postgres::PgPoolOptions;

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
