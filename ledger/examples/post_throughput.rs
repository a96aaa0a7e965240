//! How fast postings are recorded and then verified: `DATABASE_URL=… cargo run --release -p ledger --example post_throughput -- [batch]
//! [accounts] [seconds]`, on a freshly migrated database. Accounts are chosen by Zipf's law, exponent 1.

use std::time::{Duration, Instant};

use ledger::accounts::{NewAccount, Overdraft, open};
use ledger::posting::{Memory, post, post_all};
use ledger::verify::verify;
use ledger::{AccountId, Book, Currency, Leg, Outcome, Posting, TransactionId};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Picks accounts: the n-th is n times rarer than the first.
struct Zipf {
    sums: Vec<u64>,
    state: u64,
}

impl Zipf {
    fn new(count: usize) -> Zipf {
        let mut sum = 0;
        let weight = |rank: usize| 1_000_000_000 / (rank as u64 + 1);
        let sums = (0..count).map(|rank| {
            sum += weight(rank);
            sum
        });
        Zipf { sums: sums.collect(), state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// xorshift64*, so that each run is the same.
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn next(&mut self) -> usize {
        let point = self.random() % self.sums.last().expect("there are accounts");
        self.sums.partition_point(|sum| *sum <= point)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<usize>().expect("a number"));
    let batch = arguments.next().unwrap_or(1_000);
    let accounts = arguments.next().unwrap_or(10_000);
    let duration = Duration::from_secs(arguments.next().unwrap_or(12) as u64);
    let mut conn = PgConnection::connect(&std::env::var("DATABASE_URL")?).await?;
    let ids = open_accounts(&mut conn, accounts).await?;
    let mut zipf = Zipf::new(accounts);
    let (mut recorded, mut refused, mut millis) = (0, 0, Vec::new());
    let (started, memory) = (Instant::now(), Memory::default());
    while started.elapsed() < duration {
        let postings: Vec<Posting> = (0..batch).map(|_| transfer(&mut zipf, &ids)).collect();
        let began = Instant::now();
        let mut tx = conn.begin().await?;
        for outcome in post_all(&mut tx, Book::MAIN, &postings, &memory).await?.outcomes {
            match outcome {
                Outcome::Created { .. } => recorded += 1,
                _ => refused += 1,
            }
        }
        tx.commit().await?;
        millis.push(began.elapsed().as_micros() as u64);
    }
    let rate = recorded * 1_000 / started.elapsed().as_millis() as u64;
    millis.sort_unstable();
    let (p50, p99) = (millis[millis.len() / 2], millis[millis.len() * 99 / 100]);
    println!("batch {batch}, {accounts} accounts: {rate}/s recorded, {refused} refused; p50 {p50} us, p99 {p99} us");
    let began = Instant::now();
    let report = verify(&mut conn, Book::MAIN, &[], |_| ()).await?;
    assert!(report.is_clean(), "{:?}", report.findings);
    let rate = report.leaves * 1_000 / (began.elapsed().as_millis() as u64).max(1);
    println!("{} leaves verified, {rate}/s", report.leaves);
    Ok(())
}

fn transfer(zipf: &mut Zipf, ids: &[AccountId]) -> Posting {
    let from = zipf.next();
    let to = std::iter::repeat_with(|| zipf.next()).find(|to| *to != from).expect("there are two accounts");
    let amount = i128::from(zipf.random() % 1_000 + 1);
    Posting {
        id: TransactionId(Uuid::now_v7()),
        code: 1,
        legs: vec![Leg { account: ids[from], amount: -amount }, Leg { account: ids[to], amount }],
        effective_at: None,
        act: ledger::Act::Post,
        metadata_hash: [0; 32],
        linked: false,
    }
}

/// Opens the accounts and pays into each, out of one that may be below zero.
async fn open_accounts(conn: &mut PgConnection, count: usize) -> Result<Vec<AccountId>, Box<dyn std::error::Error>> {
    let cash = AccountId(Uuid::now_v7());
    let ids: Vec<AccountId> = (0..count).map(|_| AccountId(Uuid::now_v7())).collect();
    let account = |id, overdraft| NewAccount { id, currency: Currency::GBP, overdraft, code: 0, group: None };
    let mut new = vec![account(cash, Overdraft::Allowed)];
    new.extend(ids.iter().map(|id| account(*id, Overdraft::Forbidden)));
    open(conn, Book::MAIN, &new).await?;
    for some in ids.chunks(1_000) {
        let deposit = |id: &AccountId| Posting {
            id: TransactionId(Uuid::now_v7()),
            code: 2,
            legs: vec![Leg { account: cash, amount: -1_000_000_000 }, Leg { account: *id, amount: 1_000_000_000 }],
            effective_at: None,
            act: ledger::Act::Post,
            metadata_hash: [0; 32],
            linked: false,
        };
        let deposits: Vec<Posting> = some.iter().map(deposit).collect();
        let mut tx = conn.begin().await?;
        post(&mut tx, Book::MAIN, &deposits).await?;
        tx.commit().await?;
    }
    Ok(ids)
}
