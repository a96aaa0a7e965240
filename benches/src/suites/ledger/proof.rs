//! The proof of the ledger: verified in memory, from a database and from an export, and replayed into an empty database.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger::Book;
use ledger::export::{import, jsonl, tiles};
use ledger::verify::{Report as Verified, Tables, verify, verify_tables};
use sqlx::{Connection, PgConnection};

use super::book::{ACCOUNTS, Funded, post_all};
use super::{Plan, receipts};
use crate::report::Report;
use crate::server::Server;

/// How often the leaves are verified in memory.
const REPETITIONS: usize = 3;

/// Adds `ledger.audit_1m_s`, `ledger.verify_leaves`, `ledger.verify_export` and `ledger.replay`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let mut book = Funded::book(server, ACCOUNTS).await?;
    let mut conn = book.pool.acquire().await?;
    for batch in book.batches(plan.transfers(), 1_000) {
        post_all(&mut conn, &book.memory, &batch).await?;
    }
    for statement in ["vacuum analyze", "checkpoint"] {
        sqlx::query(statement).execute(&mut *conn).await?;
    }
    receipts::measure(&book, report).await?;
    let (verified, seconds) = timed(verify(&mut conn, Book::MAIN, &[], |_| ())).await;
    let leaves = sound(&verified?)?;
    report.add("ledger.audit_1m_s", seconds * 1_000_000.0 / leaves, "s");
    let tables = Tables::read(&mut conn, Book::MAIN).await?;
    let mut rates = Vec::with_capacity(REPETITIONS);
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        sound(&verify_tables(&tables, &[]))?;
        rates.push(leaves / started.elapsed().as_secs_f64());
    }
    report.add_median("ledger.verify_leaves", rates, "leaves/s");
    drop(tables);
    let folder = std::env::temp_dir().join(format!("bn-export-{}", uuid::Uuid::new_v4().simple()));
    let measured = export_and_replay(server, &mut conn, &folder, report).await;
    std::fs::remove_dir_all(&folder).context("removing the export")?;
    measured
}

async fn export_and_replay(server: &Server, conn: &mut PgConnection, folder: &Path, report: &mut Report) -> Result<()> {
    let mut tx = conn.begin().await?;
    jsonl(&mut tx, Book::MAIN, folder, |_| ()).await?;
    tiles::tiles(&mut tx, Book::MAIN, folder, |_| ()).await?;
    tx.rollback().await?;
    let started = Instant::now();
    let leaves = sound(&ledger::export::verify(folder, &[], |_| ())?)?;
    report.add("ledger.verify_export", leaves / started.elapsed().as_secs_f64(), "leaves/s");
    let database = server.fresh_of_ours().await?;
    let mut empty = database.pool(1).await?.acquire().await?;
    let (imported, seconds) = timed(import(&mut empty, folder, &[], |_| ())).await;
    ensure!(imported?.transactions as f64 == leaves, "not all was replayed");
    report.add("ledger.replay", leaves / seconds, "transfers/s");
    Ok(())
}

/// How many leaves there are, if all is sound.
fn sound(verified: &Verified) -> Result<f64> {
    ensure!(verified.is_clean(), "the ledger is not sound: {:?}", verified.findings);
    Ok(verified.leaves as f64)
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, f64) {
    let started = Instant::now();
    let result = work.await;
    (result, started.elapsed().as_secs_f64())
}
