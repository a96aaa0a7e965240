//! What these tests share: a book as the service makes it, ways to plant faults in it, and runs over it.

use std::collections::BTreeSet;

use domain::reconciliation::runs::NewRun;
use domain::transactions::{Decision, Kind, NewTransaction};
use domain::{Principal, ProductId};
use jobs::record_transaction::{Submission, Submitter};
use jobs::submitted::Submitted;
use jobs::{LEDGER_QUEUE, State, reconcile};
use ledger::keys::SigningKey;
use ledger::posting::post;
use ledger::{Act, Book, Currency, Leg, Outcome, Posting, TransactionId};
use queue::testing::drain;
use queue::{Notifier, Registry};
use sqlx::PgPool;
use tests::database::Database;
use tests::people::{Person, admin, customer, transfer};
use uuid::Uuid;

/// What holds and other acts of these tests are posted under: no request of the domain has this code.
const CODE: u16 = 900;

/// What a fault or a run may change.
const TABLES: [&str; 15] = [
    "ledger.book",
    "ledger.account",
    "ledger.transaction",
    "ledger.entry",
    "ledger.refusal",
    "ledger.tile",
    "ledger.checkpoint",
    "ledger.open_hold",
    "app.transaction",
    "app.wallet",
    "reconciliation.run",
    "reconciliation.break",
    "reconciliation.break_change",
    "reconciliation.run_break",
    "reconciliation.clearing_account",
];

/// A service without its processes.
pub(super) struct Stage {
    pub(super) pool: PgPool,
    pub(super) registry: Registry,
    pub(super) admin: Principal,
    pub(super) people: Vec<Person>,
}

impl Stage {
    /// Three customers with money, transactions of theirs, one refused; two holds open and one ended; all signed for.
    pub(super) async fn create() -> Stage {
        let stage = Stage::create_without_holds().await;
        let ended = stage.hold(100).await;
        stage.post(&[resolve(Act::Void(ended))]).await;
        stage.hold(700).await;
        stage.hold(300).await;
        stage.sign().await;
        stage
    }

    /// The same without holds, and not signed for.
    pub(super) async fn create_without_holds() -> Stage {
        let pool = Database::create().await.pool(8).await;
        let admin = admin(&pool).await;
        let mut people = Vec::new();
        for _ in 0..3 {
            people.push(customer(&pool, &admin, Currency::GBP).await);
        }
        let signing_key = SigningKey::generate("test.example/main").unwrap();
        let stage = Stage { pool, registry: jobs::registry(State::of_key(signing_key)), admin, people };
        for person in &stage.people {
            stage.record(admin, vec![deposit(person, 100_000)]).await;
        }
        stage.transfers(300).await;
        let (ada, bob) = (stage.people[0], stage.people[1]);
        stage.record(ada.principal, vec![transfer(ada.wallet, bob.wallet, 10_000_000)]).await;
        stage
    }

    /// Records this many transfers between customers, each with a reference of its own.
    pub(super) async fn transfers(&self, count: usize) {
        let (ada, bob) = (self.people[0], self.people[1]);
        let one = |n: usize| NewTransaction {
            reference: Some(format!("order-{}/{n}", Uuid::now_v7().simple())),
            description: Some(format!("parcel {n}")),
            ..transfer(ada.wallet, bob.wallet, 1 + n as i128 % 50)
        };
        self.record(ada.principal, (0..count).map(one).collect()).await;
    }

    /// Has transactions accepted and recorded; returns their ids.
    pub(super) async fn record(&self, principal: Principal, transactions: Vec<NewTransaction>) -> Vec<TransactionId> {
        let ids = self.accept(principal, transactions).await;
        drain(&self.pool, &self.registry, LEDGER_QUEUE).await;
        ids
    }

    /// Has transactions accepted and enqueued.
    pub(super) async fn accept(&self, principal: Principal, transactions: Vec<NewTransaction>) -> Vec<TransactionId> {
        let submitter = Submitter::spawn(self.pool.clone(), Notifier::spawn(self.pool.clone()));
        let submission = Submission::new(principal, transactions, None);
        let Submitted::Done(decisions) = submitter.submit(submission).await.unwrap() else { panic!("it is new") };
        let id = |decision| match decision {
            Decision::Accepted(transaction) => transaction.id,
            other => panic!("{other:?}"),
        };
        decisions.into_iter().map(id).collect()
    }

    pub(super) async fn post(&self, postings: &[Posting]) -> Vec<Outcome> {
        let mut tx = self.pool.begin().await.unwrap();
        let outcomes = post(&mut tx, Book::MAIN, postings).await.unwrap();
        tx.commit().await.unwrap();
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Created { .. })), "{outcomes:?}");
        outcomes
    }

    /// Holds so many pennies of the first customer for the second.
    pub(super) async fn hold(&self, pennies: i128) -> TransactionId {
        let legs = vec![
            Leg { account: self.people[0].wallet, amount: -pennies },
            Leg { account: self.people[1].wallet, amount: pennies },
        ];
        let posting = Posting { legs, ..resolve(Act::Hold { expires_at: None }) };
        self.post(std::slice::from_ref(&posting)).await;
        posting.id
    }

    pub(super) async fn sign(&self) {
        queue::testing::advance(&self.pool, std::time::Duration::from_secs(5)).await;
        drain(&self.pool, &self.registry, LEDGER_QUEUE).await;
    }

    /// Runs a statement as whoever owns the database and has switched every trigger off.
    pub(super) async fn plant(&self, fault: &str) {
        let mut tx = self.pool.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        let planted = sqlx::raw_sql(sqlx::AssertSqlSafe(fault.to_owned())).execute(&mut *tx).await.unwrap();
        assert!(planted.rows_affected() > 0, "nothing was planted by {fault}");
        tx.commit().await.unwrap();
    }

    /// Keeps a copy of every table that a fault or a run may change.
    pub(super) async fn keep(&self) {
        for table in TABLES {
            let copy = format!("create table keep_{} as table {table}", table.replace('.', "_"));
            self.plant_any(&copy).await;
        }
    }

    /// Puts the copies back.
    pub(super) async fn restore(&self) {
        for table in TABLES {
            let copy = table.replace('.', "_");
            self.plant_any(&format!("delete from {table}; insert into {table} select * from keep_{copy}")).await;
        }
    }

    async fn plant_any(&self, statements: &str) {
        let mut tx = self.pool.begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(super) async fn incremental(&self) -> Uuid {
        self.run(false, false).await
    }

    pub(super) async fn full(&self) -> Uuid {
        self.run(true, false).await
    }

    /// Does a run to its end.
    pub(super) async fn run(&self, is_full: bool, repair: bool) -> Uuid {
        let id = Uuid::now_v7();
        let new = NewRun { id, book: Book::MAIN, is_full, repair, asked_by: "test".to_owned() };
        let summary = reconcile::run_inline(&self.pool, &new, None, |_| ()).await.unwrap();
        assert_eq!(summary.is_clean, summary.open == 0);
        id
    }

    /// What a run found, as `class sub_class`.
    pub(super) async fn found(&self, run: Uuid) -> BTreeSet<String> {
        let rows: Vec<String> = sqlx::query_scalar(
            "select b.class || ' ' || b.sub_class
             from reconciliation.run_break as k
             join reconciliation.break as b on b.id = k.break_id
             where k.run_id = $1 and not k.is_carried",
        )
        .bind(run)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.into_iter().collect()
    }

    pub(super) async fn scalar<T>(&self, statement: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sqlx::AssertSqlSafe(statement.to_owned())).fetch_one(&self.pool).await.unwrap()
    }
}

/// A posting without legs, which does this.
pub(super) fn resolve(act: Act) -> Posting {
    Posting {
        id: TransactionId(Uuid::now_v7()),
        code: CODE,
        legs: Vec::new(),
        effective_at: None,
        act,
        metadata_hash: [9; 32],
        linked: false,
    }
}

/// A request for a deposit of so many pennies.
pub(super) fn deposit(person: &Person, pennies: i128) -> NewTransaction {
    let product_id: Option<ProductId> = None;
    NewTransaction { kind: Kind::Deposit, from: None, product_id, ..transfer(person.wallet, person.wallet, pennies) }
}
