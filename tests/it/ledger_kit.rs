//! What the tests of the ledger share: a book with accounts in it, and short ways to post.

use chrono::{DateTime, Utc};
use ledger::accounts::{NewAccount, Overdraft, find, open};
use ledger::posting::{Memory, post_all};
use ledger::verify::{Report, verify};
use ledger::{AccountId, Act, Book, Currency, Leg, Outcome, Posting, TransactionId};
use sqlx::{Connection, PgConnection};
use tests::database::Database;
use uuid::Uuid;

/// A database, a connection to it, and accounts in the main book.
pub(crate) struct Bench {
    pub(crate) database: Database,
    pub(crate) conn: PgConnection,
    /// What whoever posts here remembers.
    pub(crate) memory: Memory,
    /// Pounds; may be below zero.
    pub(crate) cash: AccountId,
    /// Pounds; never below zero.
    pub(crate) wallets: Vec<AccountId>,
}

impl Bench {
    pub(crate) async fn create(wallets: usize) -> Bench {
        let database = Database::create().await;
        let conn = PgConnection::connect_with(&database.options()).await.expect("the database is up");
        let (memory, cash) = (Memory::default(), AccountId(Uuid::now_v7()));
        let mut bench = Bench { database, conn, memory, cash, wallets: Vec::new() };
        bench.cash = bench.open(Currency::GBP, Overdraft::Allowed).await;
        for _ in 0..wallets {
            let wallet = bench.open(Currency::GBP, Overdraft::Forbidden).await;
            bench.wallets.push(wallet);
        }
        bench
    }

    pub(crate) async fn open(&mut self, currency: Currency, overdraft: Overdraft) -> AccountId {
        let id = AccountId(Uuid::now_v7());
        open(&mut self.conn, Book::MAIN, &[NewAccount { id, currency, overdraft, code: 0, group: None }])
            .await
            .expect("an account opens");
        id
    }

    pub(crate) async fn post(&mut self, postings: &[Posting]) -> Vec<Outcome> {
        let mut tx = self.conn.begin().await.expect("a transaction begins");
        let posted = post_all(&mut tx, Book::MAIN, postings, &self.memory).await.expect("the batch is decided");
        tx.commit().await.expect("the batch commits");
        posted.outcomes
    }

    pub(crate) async fn post_one(&mut self, posting: &Posting) -> Outcome {
        self.post(std::slice::from_ref(posting)).await[0]
    }

    pub(crate) async fn balance(&mut self, account: AccountId) -> i128 {
        find(&mut self.conn, Book::MAIN, &[account]).await.expect("the account is open")[0].balance
    }

    /// The account's balance, what holds would take of it, and what they would bring.
    pub(crate) async fn stand(&mut self, account: AccountId) -> (i128, i128, i128) {
        let found = find(&mut self.conn, Book::MAIN, &[account]).await.expect("the database answers")[0];
        (found.balance, found.held_out, found.held_in)
    }

    /// The time by the database's clock.
    pub(crate) async fn now(&mut self) -> DateTime<Utc> {
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut self.conn).await.expect("the database answers")
    }

    /// Returns once the database's clock has come to this time.
    pub(crate) async fn until(&mut self, time: DateTime<Utc>) {
        while self.now().await < time {
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn verify(&mut self) -> Report {
        verify(&mut self.conn, Book::MAIN, &[], |_| ()).await.expect("the verification comes to its end")
    }

    /// Runs a statement of the test's own; returns how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: String) -> u64 {
        let query = sqlx::query(sqlx::AssertSqlSafe(statement));
        query.execute(&mut self.conn).await.expect("the statement runs").rows_affected()
    }
}

/// A time that postings count from.
pub(crate) fn effective_at() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_000_000).expect("it is in range")
}

/// A posting under a new id.
pub(crate) fn posting(legs: &[(AccountId, i128)]) -> Posting {
    Posting {
        id: TransactionId(Uuid::now_v7()),
        code: 1,
        legs: legs.iter().map(|(account, amount)| Leg { account: *account, amount: *amount }).collect(),
        effective_at: Some(effective_at()),
        act: Act::Post,
        metadata_hash: [7; 32],
        linked: false,
    }
}

/// A posting that moves an amount from one account to another.
pub(crate) fn transfer(from: AccountId, to: AccountId, amount: i128) -> Posting {
    posting(&[(from, -amount), (to, amount)])
}

/// The posting that undoes another.
pub(crate) fn reversal(original: &Posting) -> Posting {
    let legs: Vec<_> = original.legs.iter().map(|leg| (leg.account, -leg.amount)).collect();
    Posting { act: Act::Reverse(original.id), ..posting(&legs) }
}

/// A hold of an amount, out of one account and for another.
pub(crate) fn hold(from: AccountId, to: AccountId, amount: i128, expires_at: Option<DateTime<Utc>>) -> Posting {
    Posting { act: Act::Hold { expires_at }, ..transfer(from, to, amount) }
}

/// Captures a hold whole.
pub(crate) fn capture(hold: &Posting) -> Posting {
    Posting { act: Act::Capture(hold.id), ..posting(&[]) }
}

/// Captures an amount of a hold that [`hold`] made.
pub(crate) fn capture_part(hold: &Posting, amount: i128) -> Posting {
    let (from, to) = (hold.legs[0].account, hold.legs[1].account);
    Posting { act: Act::Capture(hold.id), ..transfer(from, to, amount) }
}

/// Voids a hold.
pub(crate) fn void(hold: &Posting) -> Posting {
    Posting { act: Act::Void(hold.id), ..posting(&[]) }
}

/// Lets a hold expire.
pub(crate) fn expire(hold: &Posting) -> Posting {
    Posting { act: Act::Expire(hold.id), ..posting(&[]) }
}

/// Takes back an amount of what [`transfer`] made.
pub(crate) fn reverse_part(original: &Posting, amount: i128) -> Posting {
    let (from, to) = (original.legs[0].account, original.legs[1].account);
    Posting { act: Act::ReversePart(original.id), ..transfer(to, from, amount) }
}

/// Moves as much as there is, up to this amount.
pub(crate) fn up_to(from: AccountId, to: AccountId, asked: i64) -> Posting {
    Posting { act: Act::PostUpTo { asked }, ..transfer(from, to, asked.into()) }
}

/// Closes an account.
pub(crate) fn close(account: AccountId) -> Posting {
    Posting { act: Act::Close, ..posting(&[(account, 0)]) }
}

/// The postings as a chain.
pub(crate) fn chain(mut postings: Vec<Posting>) -> Vec<Posting> {
    if let Some((_, linked)) = postings.split_last_mut() {
        linked.iter_mut().for_each(|posting| posting.linked = true);
    }
    postings
}
