//! The same rates in a book that has much behind it.

use anyhow::Result;

use super::Plan;
use super::book::{ACCOUNTS, Funded, post_all};
use super::post::rate;
use crate::report::Report;
use crate::server::Server;

/// Adds `ledger.post_1000_grown` and `ledger.post_100_grown`, each with its ratio to that of a young book.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let mut book = Funded::book(server, ACCOUNTS).await?;
    let mut conn = book.pool.acquire().await?;
    let transfers = plan.entries_before() / 2;
    for _ in 0..transfers.div_ceil(80_000) {
        for batch in book.batches(80_000, 8_000) {
            post_all(&mut conn, &book.memory, &batch).await?;
        }
    }
    sqlx::query("checkpoint").execute(&mut *conn).await?;
    for batch in [1_000, 100] {
        let batches = book.batches(plan.transfers() * batch / 1_000, batch);
        let (name, young) = (format!("ledger.post_{batch}_grown"), format!("ledger.post_{batch}"));
        report.add(&name, rate(&mut conn, &book.memory, &batches).await?, "transfers/s");
        report.add_ratio(&format!("{name}.ratio_to_young"), &name, &young);
    }
    Ok(())
}
