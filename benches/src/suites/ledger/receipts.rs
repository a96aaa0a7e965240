//! How long the proof of one transaction takes, and how long it is as a text.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger::checkpoint::sign_head;
use ledger::keys::SigningKey;
use ledger::receipt::make;
use ledger::{Book, TransactionId};

use super::book::Funded;
use crate::percentile::Durations;
use crate::report::Report;

/// Transactions that are proven.
const PROVEN: i64 = 2_000;

/// Adds `ledger.proof_p50_ms`, `ledger.proof_p99_ms` and `ledger.receipt_bytes`, of transactions all over a signed book.
pub(super) async fn measure(book: &Funded, report: &mut Report) -> Result<()> {
    let mut conn = book.pool.acquire().await?;
    let key = SigningKey::generate("bench.example/main").context("making a key")?;
    let signed = sign_head(&mut conn, Book::MAIN, &key).await?;
    let size = signed.context("there is something to sign")?.size;
    ensure!(size > PROVEN, "the book is too small");
    let ids = "select id from ledger.transaction where shard = 0 and book = 1 and seq = any ($1)";
    let seqs: Vec<i64> = (0..PROVEN).map(|n| n * (size / PROVEN)).collect();
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar(ids).bind(seqs).fetch_all(&mut *conn).await?;
    let (mut times, mut bytes) = (Durations::default(), 0);
    for id in ids {
        let started = Instant::now();
        let receipt = make(&mut conn, Book::MAIN, TransactionId(id)).await?;
        times.add(started.elapsed());
        bytes = bytes.max(receipt.to_text().len());
    }
    report.add("ledger.proof_p50_ms", times.percentile_ms(50), "ms");
    report.add("ledger.proof_p99_ms", times.percentile_ms(99), "ms");
    report.add("ledger.receipt_bytes", bytes as f64, "bytes");
    Ok(())
}
