//! How much is written to the write-ahead log.

use anyhow::Result;
use sqlx::PgExecutor;

/// Where the log has got to.
pub(crate) async fn place(conn: impl PgExecutor<'_>) -> Result<String> {
    Ok(sqlx::query_scalar("select pg_current_wal_insert_lsn()::text").fetch_one(conn).await?)
}

/// How many bytes have been written since it had got there.
pub(crate) async fn bytes_since(conn: impl PgExecutor<'_>, place: &str) -> Result<f64> {
    let written = "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::pg_lsn)::float8";
    Ok(sqlx::query_scalar(written).bind(place).fetch_one(conn).await?)
}
