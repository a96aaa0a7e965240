//! How fast transfers are posted: in large and small batches, one by one, and all between two accounts.

use std::time::Instant;

use anyhow::Result;
use ledger::posting::{Memory, Posting};
use sqlx::PgConnection;

use super::Plan;
use super::book::{ACCOUNTS, Funded, post_all, transfer};
use crate::percentile::Durations;
use crate::report::Report;
use crate::server::Server;

/// Transfers that are posted one by one.
const SINGLES: usize = 2_000;
/// Those before the clock starts.
const WARM_UP: usize = 100;

/// Adds `ledger.post_1000`, `ledger.post_100`, `ledger.post_hot_pair` with its ratio, and `ledger.post_one_p50_ms`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    for batch in [1_000, 100] {
        let mut book = Funded::book(server, ACCOUNTS).await?;
        let batches = book.batches(plan.transfers() * batch / 1_000, batch);
        let rate = rate(&mut *book.pool.acquire().await?, &book.memory, &batches).await?;
        report.add(&format!("ledger.post_{batch}"), rate, "transfers/s");
        if batch == 1_000 {
            in_turns(plan, &mut book, report).await?;
        }
        if batch == 100 {
            one_by_one(&mut book, report).await?;
        }
    }
    let book = Funded::book(server, 2).await?;
    let (one, other) = (book.accounts[0], book.accounts[1]);
    let alternate = |n: usize| if n.is_multiple_of(2) { transfer(one, other, 1) } else { transfer(other, one, 1) };
    let batch = || (0..1_000).map(alternate).collect::<Vec<_>>();
    let batches: Vec<_> = (0..plan.transfers() / 1_000).map(|_| batch()).collect();
    let rate = rate(&mut *book.pool.acquire().await?, &book.memory, &batches).await?;
    report.add("ledger.post_hot_pair", rate, "transfers/s");
    report.add_ratio("ledger.post_hot_pair.ratio_to_spread", "ledger.post_hot_pair", "ledger.post_1000");
    Ok(())
}

/// Transfers a second, a commit for each batch; the first one prepares the statements and is not counted.
pub(super) async fn rate(conn: &mut PgConnection, memory: &Memory, batches: &[Vec<Posting>]) -> Result<f64> {
    let (first, rest) = batches.split_first().expect("there are batches");
    post_all(conn, memory, first).await?;
    let started = Instant::now();
    for batch in rest {
        post_all(conn, memory, batch).await?;
    }
    let transfers: usize = rest.iter().map(Vec::len).sum();
    Ok(transfers as f64 / started.elapsed().as_secs_f64())
}

/// As of processes that post in turns: none has any use for what it remembers.
async fn in_turns(plan: &Plan, book: &mut Funded, report: &mut Report) -> Result<()> {
    let batches = book.batches(plan.transfers(), 1_000);
    let mut conn = book.pool.acquire().await?;
    let (started, mut transfers) = (Instant::now(), 0);
    for batch in &batches {
        post_all(&mut conn, &Memory::default(), batch).await?;
        transfers += batch.len();
    }
    report.add("ledger.post_1000_in_turns", transfers as f64 / started.elapsed().as_secs_f64(), "transfers/s");
    Ok(())
}

async fn one_by_one(book: &mut Funded, report: &mut Report) -> Result<()> {
    let mut conn = book.pool.acquire().await?;
    let mut times = Durations::default();
    for (number, single) in book.batches(SINGLES + WARM_UP, 1).into_iter().enumerate() {
        let started = Instant::now();
        post_all(&mut conn, &book.memory, &single).await?;
        if number >= WARM_UP {
            times.add(started.elapsed());
        }
    }
    report.add("ledger.post_one_p50_ms", times.percentile_ms(50), "ms");
    report.add("ledger.post_one_p99_ms", times.percentile_ms(99), "ms");
    Ok(())
}
