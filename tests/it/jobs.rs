//! The catalogue's jobs, run one by one on a real database, with the helpers that the queue has for that.

#[expect(unreachable_pub, reason = "the file is shown as it would stand in the catalogue")]
mod welcome;

use std::time::Duration;

use domain::accounts::{NewUser, wallets};
use domain::products::{self, NewProduct};
use domain::transactions::{Decision, Kind, NewTransaction};
use domain::{Principal, Role};
use jobs::categorize::{self, Categorize};
use jobs::open_wallets::{self, OpenWallets};
use jobs::publish_checkpoint::PublishCheckpoint;
use jobs::record_transaction::{RecordTransaction, Submission, Submitter};
use jobs::submitted::Submitted;
use jobs::{ACCOUNTS_QUEUE, LEDGER_QUEUE, PRODUCTS_QUEUE, State};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::keys::SigningKey;
use ledger::{Book, Currency, Money};
use queue::testing::{Outcome, Ran, advance, assert_enqueued, drain, enqueued, enqueued_batch, run_inline};
use queue::{NewJob, Notifier, Registry};
use sqlx::PgPool;
use tests::database::Database;
use tests::people::{admin, customer, newcomer, transfer};
use uuid::Uuid;

use welcome::Welcome;

fn registry() -> Registry {
    jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()))
}

/// The outcomes, with their kinds.
fn outcomes(ran: &[Ran]) -> Vec<(&str, &Outcome)> {
    ran.iter().map(|one| (one.kind.as_str(), &one.outcome)).collect()
}

const DONE: Outcome = Outcome::Succeeded(None);

/// What a submission did.
fn done<T>(submitted: Submitted<T>) -> T {
    match submitted {
        Submitted::Done(value) => value,
        Submitted::Replayed(kept) => panic!("it had been done before: {kept}"),
    }
}

/// The topics of all events of a kind.
async fn topics(pool: &PgPool, kind: &str) -> Vec<String> {
    sqlx::query_scalar("select topic from app.event where kind = $1").bind(kind).fetch_all(pool).await.unwrap()
}

/// How many events of a kind there are, each of which has one topic of a transaction.
async fn of_transactions(pool: &PgPool, kind: &str) -> usize {
    topics(pool, kind).await.iter().filter(|topic| topic.starts_with("transactions:")).count()
}

#[tokio::test]
async fn open_wallets_opens_each_wallet_of_a_new_user_and_says_so() {
    let pool = Database::create().await.pool(5).await;
    let admin = admin(&pool).await;
    let new = NewUser {
        email: "ada@example.org".to_owned(),
        name: "Ada".to_owned(),
        country: None,
        role: Role::User,
        password_hash: None,
        currencies: vec![Currency::GBP, Currency::EUR],
    };
    let notifier = Notifier::spawn(pool.clone());
    let created = done(open_wallets::submit(&pool, &notifier, &admin, &new, None).await.unwrap());
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(enqueued::<OpenWallets>(&mut conn).await.len(), 1);
    let ran = drain(&pool, &registry(), ACCOUNTS_QUEUE).await;
    assert_eq!((outcomes(&ran), ran[0].id), (vec![("accounts.open_wallets", &DONE)], created.job_id));
    let opened = wallets::of_users(&mut conn, 0, &[created.user.id.0]).await.unwrap();
    assert!(opened.len() == 2 && opened.iter().all(|wallet| wallet.is_open), "{opened:?}");
    assert_eq!(topics(&pool, "wallet.opened").await, vec![format!("user:{}", created.user.id); 2]);
}

#[tokio::test]
async fn categorize_finds_the_category_that_a_rule_names() {
    let pool = Database::create().await.pool(5).await;
    let admin = admin(&pool).await;
    let new = NewProduct {
        sku: "1".to_owned(),
        name: "White hanging heart t-light holder".to_owned(),
        description: None,
        price: Money { minor: 255, currency: Currency::GBP },
    };
    let notifier = Notifier::spawn(pool.clone());
    let created = done(categorize::submit(&pool, &notifier, &admin, &new, None).await.unwrap());
    assert_eq!(created.product.category, None);
    let mut conn = pool.acquire().await.unwrap();
    assert_enqueued::<Categorize>(&mut conn, |_| true).await;
    assert_eq!(outcomes(&drain(&pool, &registry(), PRODUCTS_QUEUE).await), [("products.categorize", &DONE)]);
    let product = products::find(&mut conn, &admin, created.product.id).await.unwrap();
    assert_eq!(product.category.as_deref(), Some("lighting"));
}

/// Submits transactions by one caller; all are accepted.
async fn submit(pool: &PgPool, principal: Principal, transactions: Vec<NewTransaction>) {
    let submitter = Submitter::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    let submission = Submission::new(principal, transactions, None);
    let decisions = done(submitter.submit(submission).await.unwrap());
    assert!(decisions.iter().all(|decision| matches!(decision, Decision::Accepted(_))), "{decisions:?}");
}

#[tokio::test]
async fn transactions_are_recorded_together_and_signed_for_a_second_later() {
    let pool = Database::create().await.pool(5).await;
    let admin = admin(&pool).await;
    let (ada, bob) = (customer(&pool, &admin, Currency::GBP).await, customer(&pool, &admin, Currency::GBP).await);
    let deposit = NewTransaction { kind: Kind::Deposit, from: None, ..transfer(ada.wallet, ada.wallet, 1_000) };
    submit(&pool, admin, vec![deposit]).await;
    submit(&pool, ada.principal, vec![transfer(ada.wallet, bob.wallet, 400), transfer(ada.wallet, bob.wallet, 700)])
        .await;
    let mut conn = pool.acquire().await.unwrap();
    assert_eq!(enqueued_batch::<RecordTransaction>(&mut conn).await.len(), 3);
    let registry = registry();
    let ran = drain(&pool, &registry, LEDGER_QUEUE).await;
    assert_eq!(outcomes(&ran), [("ledger.record_transaction", &DONE); 3]);
    assert_eq!(of_transactions(&pool, "transaction.recorded").await, 2);
    assert_eq!(of_transactions(&pool, "transaction.rejected").await, 1, "700 of the 600 that are left");
    assert_eq!(enqueued::<PublishCheckpoint>(&mut conn).await.len(), 1, "one for all of them");
    assert!(drain(&pool, &registry, LEDGER_QUEUE).await.is_empty(), "it is not due yet");
    advance(&pool, Duration::from_secs(1)).await;
    let ran = drain(&pool, &registry, LEDGER_QUEUE).await;
    assert_eq!(outcomes(&ran), [("ledger.publish_checkpoint", &DONE)]);
    assert_eq!(topics(&pool, "ledger.checkpoint").await, ["ledger"]);
}

/// The wallet says that it is open before the ledger has its account, as after a restore of one without the other.
#[tokio::test]
async fn what_names_an_account_that_is_not_there_yet_waits() {
    let pool = Database::create().await.pool(5).await;
    let admin = admin(&pool).await;
    let late = newcomer(&pool, &admin, Currency::GBP).await;
    let mut conn = pool.acquire().await.unwrap();
    wallets::mark_open(&mut conn, Book::MAIN, &[late.wallet]).await.unwrap();
    let deposit = NewTransaction { kind: Kind::Deposit, from: None, ..transfer(late.wallet, late.wallet, 1_000) };
    submit(&pool, admin, vec![deposit]).await;
    let registry = registry();
    let ran = drain(&pool, &registry, LEDGER_QUEUE).await;
    assert!(matches!(ran[0].outcome, Outcome::Snoozed { .. }), "{:?}", outcomes(&ran));
    let account =
        NewAccount { id: late.wallet, currency: Currency::GBP, overdraft: Overdraft::Forbidden, code: 0, group: None };
    ledger::accounts::open(&mut conn, Book::MAIN, &[account]).await.unwrap();
    advance(&pool, Duration::from_secs(1)).await;
    let ran = drain(&pool, &registry, LEDGER_QUEUE).await;
    assert!(outcomes(&ran).contains(&("ledger.record_transaction", &DONE)), "{:?}", outcomes(&ran));
}

#[tokio::test]
async fn the_readme_shows_a_whole_job_that_works() {
    let (readme, file) = (include_str!("../../README.md"), include_str!("jobs/welcome.rs"));
    assert!(
        readme.contains(&format!("```rust\n{file}```")),
        "README.md does not show tests/it/jobs/welcome.rs as it is"
    );
    assert!(file.lines().count() <= 34, "it is to stay that short");
    let pool = Database::create().await.pool(5).await;
    let user_id = Uuid::now_v7();
    let ran = run_inline(&pool, &Registry::new().job::<Welcome>(), NewJob::of(&Welcome { user_id }).unwrap()).await;
    assert_eq!(ran.outcome, DONE);
    assert_eq!(topics(&pool, "test.welcomed").await, [format!("user:{user_id}")]);
}
