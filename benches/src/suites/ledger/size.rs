//! What a transfer takes: write-ahead log, and room in tables and indexes.

use anyhow::Result;

use super::Plan;
use super::book::{ACCOUNTS, Funded, post_all};
use crate::report::Report;
use crate::server::Server;
use crate::wal;

/// Adds `ledger.wal_bytes` and `ledger.stored_bytes`, of transfers in batches of 1,000.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let mut book = Funded::book(server, ACCOUNTS).await?;
    let batches = book.batches(plan.transfers(), 1_000);
    let transfers: usize = batches.iter().map(Vec::len).sum();
    let mut conn = book.pool.acquire().await?;
    // What is recorded; the accounts are there before.
    let stored = "select sum(pg_total_relation_size(('ledger.' || name)::regclass))::bigint
                    from unnest(array['transaction', 'entry', 'tile']) as name";
    let stored_before: i64 = sqlx::query_scalar(stored).fetch_one(&mut *conn).await?;
    let place = wal::place(&mut *conn).await?;
    for batch in &batches {
        post_all(&mut conn, &book.memory, batch).await?;
    }
    let written = wal::bytes_since(&mut *conn, &place).await?;
    let stored_after: i64 = sqlx::query_scalar(stored).fetch_one(&mut *conn).await?;
    report.add("ledger.wal_bytes", written / transfers as f64, "bytes/transfer");
    report.add("ledger.stored_bytes", (stored_after - stored_before) as f64 / transfers as f64, "bytes/transfer");
    Ok(())
}
