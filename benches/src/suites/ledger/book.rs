//! A book with funded accounts, and transfers between them.

use anyhow::{Context, Result, ensure};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::posting::{Memory, Outcome, Posting, post_all as post};
use ledger::{AccountId, Act, Book, Currency, Leg, TransactionId};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use crate::server::Server;
use crate::zipf::Zipf;

/// Accounts that transfers go between.
pub(super) const ACCOUNTS: usize = 100_000;
/// What each account starts with, in pence: enough for whatever is drawn.
const FUNDS: i128 = 1_000_000_000;
/// Accounts that are opened, or funded, by one call.
const CHUNK: usize = 1_000;

/// A book in a database of its own, ready for transfers.
pub(super) struct Funded {
    pub(super) pool: PgPool,
    pub(super) accounts: Vec<AccountId>,
    /// What the process that funded them remembers, and goes on with.
    pub(super) memory: Memory,
    zipf: Zipf,
}

impl Funded {
    /// Opens and funds so many accounts, and puts the server at rest.
    pub(super) async fn book(server: &Server, accounts: usize) -> Result<Funded> {
        let database = server.fresh_of_ours().await?;
        let pool = database.pool(2).await?;
        let memory = Memory::default();
        let accounts = fund(&pool, accounts, &memory).await?;
        database.settle().await?;
        let zipf = Zipf::new(accounts.len(), 1);
        Ok(Funded { pool, accounts, memory, zipf })
    }

    /// Batches of transfers of a penny between accounts by Zipf's law.
    pub(super) fn batches(&mut self, transfers: usize, batch: usize) -> Vec<Vec<Posting>> {
        let mut next = || {
            let (from, to) = self.zipf.next_pair();
            transfer(self.accounts[from], self.accounts[to], 1)
        };
        (0..transfers.div_ceil(batch)).map(|_| (0..batch).map(|_| next()).collect()).collect()
    }
}

/// Opens `count` accounts in pounds, each with [`FUNDS`] from an account that may be overdrawn.
pub(crate) async fn fund(pool: &PgPool, count: usize, memory: &Memory) -> Result<Vec<AccountId>> {
    let mut conn = pool.acquire().await?;
    let accounts: Vec<AccountId> = (0..=count).map(|_| AccountId(Uuid::now_v7())).collect();
    let (source, accounts) = accounts.split_first().context("there is at least one")?;
    let mut tx = conn.begin().await?;
    let account =
        |id: &AccountId, overdraft| NewAccount { id: *id, currency: Currency::GBP, overdraft, code: 0, group: None };
    ledger::accounts::open(&mut tx, Book::MAIN, &[account(source, Overdraft::Allowed)]).await?;
    for chunk in accounts.chunks(CHUNK) {
        let new: Vec<_> = chunk.iter().map(|id| account(id, Overdraft::Forbidden)).collect();
        ledger::accounts::open(&mut tx, Book::MAIN, &new).await?;
    }
    tx.commit().await?;
    for chunk in accounts.chunks(CHUNK) {
        let postings: Vec<_> = chunk.iter().map(|account| transfer(*source, *account, FUNDS)).collect();
        post_all(&mut conn, memory, &postings).await?;
    }
    Ok(accounts.to_vec())
}

/// A transfer of so many pence.
pub(super) fn transfer(from: AccountId, to: AccountId, pence: i128) -> Posting {
    Posting {
        id: TransactionId(Uuid::now_v7()),
        code: 1,
        legs: vec![Leg { account: from, amount: -pence }, Leg { account: to, amount: pence }],
        effective_at: None,
        act: Act::Post,
        metadata_hash: [0; 32],
        linked: false,
    }
}

/// Posts in one commit, and makes sure that all of it was new.
pub(super) async fn post_all(conn: &mut PgConnection, memory: &Memory, postings: &[Posting]) -> Result<()> {
    let mut tx = conn.begin().await?;
    let outcomes = post(&mut tx, Book::MAIN, postings, memory).await?.outcomes;
    tx.commit().await?;
    let created = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Created { .. })).count();
    ensure!(created == postings.len(), "{created} of {} transfers were created", postings.len());
    Ok(())
}
