//! Postings: batches of transfers by the one writer that a book has.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::posting::{Outcome, Posting, post};
use ledger::{AccountId, Book, Currency, Leg, TransactionId};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::report::Report;
use crate::server::Server;
use crate::zipf::Zipf;

/// Accounts that transfers go between.
const ACCOUNTS: usize = 10_000;
/// Transfers in a commit.
const BATCH: usize = 1_000;
/// What each account starts with, in pence: enough for whatever is drawn.
const FUNDS: i128 = 1_000_000_000;

/// Adds `ledger.post_1000`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let batches = if quick { 50 } else { 300 };
    let server = Server::start().await?;
    let pool = server.pool(1).await?;
    let accounts = fund(&pool, ACCOUNTS).await?;
    server.settle().await?;
    let mut zipf = Zipf::new(ACCOUNTS, 1);
    let mut conn = pool.acquire().await?;
    let mut prepared = Vec::with_capacity(batches + 1);
    for _ in 0..=batches {
        prepared.push(transfers(&mut zipf, &accounts));
    }
    // The first batch prepares the statements.
    post_all(&mut conn, &prepared[0]).await?;
    let started = Instant::now();
    for batch in &prepared[1..] {
        post_all(&mut conn, batch).await?;
    }
    report.add("ledger.post_1000", (batches * BATCH) as f64 / started.elapsed().as_secs_f64(), "transfers/s");
    Ok(())
}

/// Opens `count` accounts in pounds, each with [`FUNDS`] from an account that may be overdrawn.
pub(crate) async fn fund(pool: &PgPool, count: usize) -> Result<Vec<AccountId>> {
    let mut conn = pool.acquire().await?;
    let accounts: Vec<AccountId> = (0..=count).map(|_| AccountId(Uuid::now_v7())).collect();
    let (source, accounts) = accounts.split_first().context("there is at least one")?;
    let mut tx = conn.begin().await?;
    let account =
        |id: &AccountId, overdraft| NewAccount { id: *id, currency: Currency::GBP, overdraft, code: 0, group: None };
    ledger::accounts::open(&mut tx, Book::MAIN, &[account(source, Overdraft::Allowed)]).await?;
    for chunk in accounts.chunks(BATCH) {
        let new: Vec<_> = chunk.iter().map(|id| account(id, Overdraft::Forbidden)).collect();
        ledger::accounts::open(&mut tx, Book::MAIN, &new).await?;
    }
    tx.commit().await?;
    for chunk in accounts.chunks(BATCH) {
        let postings: Vec<_> = chunk.iter().map(|account| posting(*source, *account, FUNDS)).collect();
        post_all(&mut conn, &postings).await?;
    }
    Ok(accounts.to_vec())
}

fn transfers(zipf: &mut Zipf, accounts: &[AccountId]) -> Vec<Posting> {
    let transfer = |_| {
        let (from, to) = zipf.next_pair();
        posting(accounts[from], accounts[to], 1)
    };
    (0..BATCH).map(transfer).collect()
}

fn posting(from: AccountId, to: AccountId, pence: i128) -> Posting {
    Posting {
        id: TransactionId(Uuid::now_v7()),
        code: 1,
        legs: vec![Leg { account: from, amount: -pence }, Leg { account: to, amount: pence }],
        effective_at: None,
        act: ledger::Act::Post,
        metadata_hash: [0; 32],
        linked: false,
    }
}

/// Posts in one commit, and makes sure that all of it was new.
async fn post_all(conn: &mut PgConnection, postings: &[Posting]) -> Result<()> {
    let mut tx = conn.begin().await?;
    let outcomes = post(&mut tx, Book::MAIN, postings).await?;
    tx.commit().await?;
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created { .. })).count();
    ensure!(created == postings.len(), "{created} of {} transfers were created", postings.len());
    Ok(())
}
