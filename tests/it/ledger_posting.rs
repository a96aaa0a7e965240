//! Posting: each refusal by name, each outcome, the bounds against a model, and many writers at once.

use std::collections::HashMap;

use futures::future::join_all;
use ledger::accounts::{AccountOutcome, NewAccount, Overdraft, find, open};
use ledger::history::entries;
use ledger::posting::{BATCH_MAX, PostError, post};
use ledger::{AccountId, Book, Currency, Field, Outcome, Posting, Refusal, TransactionId};
use proptest::prelude::*;
use sqlx::Connection;
use uuid::Uuid;

use crate::ledger_kit::{Bench, posting, reversal, transfer};

fn is_created(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Created { .. })
}

#[tokio::test]
async fn an_id_is_recorded_once_and_a_difference_is_named() {
    let mut bench = Bench::create(2).await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let first = transfer(cash, a, 100);
    let Outcome::Created { seq: 0, recorded_at } = bench.post_one(&first).await else { panic!("it is new") };
    assert_eq!(bench.post_one(&first).await, Outcome::Exists { seq: 0, recorded_at });
    let table = [
        (Field::Code, Posting { code: 2, metadata_hash: [0; 32], ..first.clone() }),
        (Field::Legs, Posting { legs: transfer(cash, b, 100).legs, ..first.clone() }),
        (Field::Legs, Posting { legs: transfer(cash, a, 101).legs, ..first.clone() }),
        (Field::Legs, Posting { legs: Vec::new(), ..first.clone() }),
        (Field::EffectiveAt, Posting { effective_at: Some(Default::default()), ..first.clone() }),
        (Field::Act, Posting { act: ledger::Act::Reverse(first.id), ..first.clone() }),
        (Field::MetadataHash, Posting { metadata_hash: [0; 32], ..first.clone() }),
    ];
    for (field, posting) in table {
        assert_eq!(bench.post_one(&posting).await, Outcome::ExistsWithDifferent(field));
    }
    assert_eq!((bench.balance(a).await, bench.balance(cash).await), (100, -100));
}

#[tokio::test]
async fn a_batch_is_decided_in_order() {
    let mut bench = Bench::create(2).await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    let (early, deposit, spend, more) =
        (transfer(a, b, 60), transfer(cash, a, 100), transfer(a, b, 60), transfer(a, b, 60));
    let undo = reversal(&spend);
    let batch = [&early, &deposit, &deposit, &spend, &more, &undo, &early, &more, &reversal(&spend), &undo];
    let outcomes = bench.post(&batch.map(Posting::clone)).await;
    let poor = Outcome::Refused(Refusal::InsufficientFunds);
    assert_eq!([outcomes[0], outcomes[4], outcomes[6], outcomes[7]], [poor; 4]);
    assert!([1, 3, 5].iter().all(|n| is_created(&outcomes[*n])), "{outcomes:?}");
    let again = |n: usize| match outcomes[n] {
        Outcome::Created { seq, recorded_at } => Outcome::Exists { seq, recorded_at },
        _ => unreachable!("it was created"),
    };
    assert_eq!((outcomes[2], outcomes[9]), (again(1), again(5)));
    assert_eq!(outcomes[8], Outcome::Refused(Refusal::AlreadyReversed));
    let history = entries(&mut bench.conn, Book::MAIN, a, None, 10).await.unwrap();
    let seen: Vec<_> = history.iter().map(|entry| (entry.version, entry.seq, entry.amount, entry.balance)).collect();
    assert_eq!(seen, [(3, 2, 60, 100), (2, 1, -60, 40), (1, 0, 100, 100)]);
    assert!(bench.verify().await.is_clean());
}

#[tokio::test]
async fn an_account_that_comes_later_lets_its_posting_through() {
    let mut bench = Bench::create(0).await;
    let late = AccountId(Uuid::now_v7());
    let deposit = transfer(bench.cash, late, 5);
    assert_eq!(bench.post_one(&deposit).await, Outcome::Refused(Refusal::AccountNotFound));
    let account =
        NewAccount { id: late, currency: Currency::GBP, overdraft: Overdraft::Forbidden, code: 0, group: None };
    open(&mut bench.conn, Book::MAIN, &[account]).await.unwrap();
    assert!(is_created(&bench.post_one(&deposit).await));
}

#[tokio::test]
async fn several_currencies_balance_each_by_itself() {
    let mut bench = Bench::create(1).await;
    let (cash, wallet) = (bench.cash, bench.wallets[0]);
    let euros = bench.open(Currency::EUR, Overdraft::Allowed).await;
    let euro_wallet = bench.open(Currency::EUR, Overdraft::Forbidden).await;
    let exchange = posting(&[(cash, -100), (wallet, 100), (euros, -117), (euro_wallet, 117)]);
    assert!(is_created(&bench.post_one(&exchange).await));
    assert_eq!((bench.balance(wallet).await, bench.balance(euro_wallet).await), (100, 117));
    assert!(bench.verify().await.is_clean());
}

#[tokio::test]
async fn accounts_open_once() {
    let mut bench = Bench::create(0).await;
    let id = AccountId(Uuid::now_v7());
    let account = NewAccount { id, currency: Currency::GBP, overdraft: Overdraft::Forbidden, code: 0, group: None };
    let other = NewAccount { currency: Currency::EUR, ..account };
    let outcomes = open(&mut bench.conn, Book::MAIN, &[account, account, other]).await.unwrap();
    use AccountOutcome::{Created, Exists, ExistsWithDifferent};
    assert_eq!(outcomes, [Created, Exists, ExistsWithDifferent]);
    let outcomes = open(&mut bench.conn, Book::MAIN, &[other, account]).await.unwrap();
    assert_eq!(outcomes, [ExistsWithDifferent, Exists]);
    let found = find(&mut bench.conn, Book::MAIN, &[id, id, AccountId(Uuid::now_v7())]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].currency, found[0].balance, found[0].version), (Currency::GBP, 0, 0));
}

#[tokio::test]
async fn pages_of_history_meet_without_gap() {
    let mut bench = Bench::create(1).await;
    let (cash, wallet) = (bench.cash, bench.wallets[0]);
    bench.post(&(1..=25).map(|amount| transfer(cash, wallet, amount)).collect::<Vec<_>>()).await;
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = entries(&mut bench.conn, Book::MAIN, wallet, before, 10).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.version);
        seen.extend(page.iter().map(|entry| entry.amount));
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_cannot_be_posted_at_all_is_an_error() {
    let mut bench = Bench::create(1).await;
    let deposit = transfer(bench.cash, bench.wallets[0], 1);
    let nowhere = Book { shard: 0, id: 99 };
    let error = post(&mut bench.conn, nowhere, std::slice::from_ref(&deposit)).await;
    assert!(matches!(error, Err(PostError::NoSuchBook(book)) if book == nowhere));
    let error = post(&mut bench.conn, Book::MAIN, &vec![deposit; BATCH_MAX + 1]).await;
    assert!(matches!(error, Err(PostError::BatchTooLarge(_))));
    assert!(post(&mut bench.conn, Book::MAIN, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn books_know_nothing_of_each_other() {
    let mut bench = Bench::create(1).await;
    let (cash, wallet, other) = (bench.cash, bench.wallets[0], Book { shard: 0, id: 2 });
    bench.execute("insert into ledger.book (book, name, root) values (2, 'other', sha256(''))".to_owned()).await;
    let deposit = transfer(cash, wallet, 5);
    assert!(is_created(&bench.post_one(&deposit).await));
    let there = |posting: &Posting| vec![posting.clone(), reversal(posting)];
    let outcomes = post(&mut bench.conn, other, &there(&deposit)).await.unwrap();
    assert_eq!(outcomes, [Outcome::Refused(Refusal::AccountNotFound); 2]);
    let account = |id, overdraft| NewAccount { id, currency: Currency::GBP, overdraft, code: 0, group: None };
    let accounts = [account(cash, Overdraft::Allowed), account(wallet, Overdraft::Forbidden)];
    open(&mut bench.conn, other, &accounts).await.unwrap();
    let outcomes = post(&mut bench.conn, other, &there(&deposit)).await.unwrap();
    assert!(outcomes.iter().all(is_created), "{outcomes:?}");
    assert_eq!(bench.balance(wallet).await, 5);
    for book in [Book::MAIN, other] {
        assert!(ledger::verify::verify(&mut bench.conn, book, &[], |_| ()).await.unwrap().is_clean());
    }
}

/// The simplest ledger that keeps the bounds.
#[derive(Default)]
struct Model {
    balances: HashMap<AccountId, i128>,
}

impl Model {
    fn take(&mut self, cash: AccountId, posting: &Posting) -> bool {
        let mut after = self.balances.clone();
        for leg in &posting.legs {
            *after.entry(leg.account).or_default() += leg.amount;
        }
        let allowed = after.iter().all(|(account, balance)| *account == cash || *balance >= 0);
        if allowed {
            self.balances = after;
        }
        allowed
    }
}

/// Sizes of batches, and in them whom to take from, whom to give to, and how much; account 0 is cash.
fn histories() -> impl Strategy<Value = Vec<Vec<(usize, usize, i128)>>> {
    let moves = (0..5usize, 1..5usize, 1..50i128).prop_map(|(from, step, amount)| (from, (from + step) % 5, amount));
    prop::collection::vec(prop::collection::vec(moves, 1..40), 1..8)
}

#[test]
fn bounds_hold_as_in_a_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    proptest!(ProptestConfig::with_cases(12), |(history in histories())| {
        runtime.block_on(async {
            let mut bench = Bench::create(4).await;
            let mut model = Model::default();
            let account = |bench: &Bench, n: usize| if n == 0 { bench.cash } else { bench.wallets[n - 1] };
            for batch in history {
                let batch: Vec<Posting> = batch
                    .into_iter()
                    .map(|(from, to, amount)| transfer(account(&bench, from), account(&bench, to), amount))
                    .collect();
                let expected: Vec<bool> = batch.iter().map(|posting| model.take(bench.cash, posting)).collect();
                let recorded: Vec<bool> = bench.post(&batch).await.iter().map(is_created).collect();
                assert_eq!(recorded, expected);
            }
            for (account, balance) in &model.balances {
                assert_eq!(bench.balance(*account).await, *balance);
            }
            assert!(bench.verify().await.is_clean());
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_share_a_book() {
    let mut bench = Bench::create(6).await;
    let (cash, wallets) = (bench.cash, bench.wallets.clone());
    bench.post(&wallets.iter().map(|wallet| transfer(cash, *wallet, 500)).collect::<Vec<_>>()).await;
    // Each writer posts some of its own and some that its neighbours post too.
    let transfers: Vec<Posting> = (0..640usize)
        .map(|n| transfer(wallets[n % 6], wallets[(n * 5 + 1) % 6], (n as i128 * 37) % 200 + 1))
        .filter(|posting| posting.legs[0].account != posting.legs[1].account)
        .collect();
    let pool = bench.database.pool(8).await;
    let writer = |n: usize| {
        let (pool, transfers) = (pool.clone(), &transfers);
        async move {
            let mut created = Vec::new();
            for start in (n * 60..n * 60 + 120).step_by(30) {
                let batch: Vec<Posting> = (start..start + 30).map(|n| transfers[n % transfers.len()].clone()).collect();
                let mut tx = pool.begin().await.unwrap();
                let outcomes = post(&mut tx, Book::MAIN, &batch).await.unwrap();
                tx.commit().await.unwrap();
                created.extend(batch.iter().zip(&outcomes).filter(|(_, o)| is_created(o)).map(|(p, _)| p.id));
            }
            created
        }
    };
    let created: Vec<TransactionId> = join_all((0..8).map(writer)).await.concat();
    let distinct: std::collections::HashSet<_> = created.iter().collect();
    assert_eq!(distinct.len(), created.len(), "no id is created twice");
    let mut sum = bench.balance(cash).await;
    for wallet in wallets {
        let balance = bench.balance(wallet).await;
        assert!(balance >= 0);
        sum += balance;
    }
    assert_eq!(sum, 0);
    let report = bench.verify().await;
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.leaves as usize, created.len() + 6);
}

#[tokio::test]
async fn a_writer_waits_for_the_one_before_and_sees_what_it_wrote() {
    let mut bench = Bench::create(2).await;
    let (cash, a, b) = (bench.cash, bench.wallets[0], bench.wallets[1]);
    bench.post_one(&transfer(cash, a, 100)).await;
    let pool = bench.database.pool(2).await;
    let (first, second) = (transfer(a, b, 100), transfer(a, b, 100));
    let mut one = pool.begin().await.unwrap();
    assert!(is_created(&post(&mut one, Book::MAIN, std::slice::from_ref(&first)).await.unwrap()[0]));
    let mut other = pool.begin().await.unwrap();
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *other).await.unwrap();
    let batch = [first, second];
    let waiting = async { post(&mut other, Book::MAIN, &batch).await.unwrap() };
    let releasing = async {
        // The signal: the database says that the second writer waits for the first.
        let blocked = "select cardinality(pg_blocking_pids($1)) > 0";
        while !sqlx::query_scalar::<_, bool>(blocked).bind(pid).fetch_one(&mut bench.conn).await.unwrap() {
            tokio::task::yield_now().await;
        }
        one.commit().await.unwrap();
    };
    let (outcomes, ()) = futures::join!(waiting, releasing);
    assert!(matches!(outcomes[0], Outcome::Exists { seq: 1, .. }), "{outcomes:?}");
    assert_eq!(outcomes[1], Outcome::Refused(Refusal::InsufficientFunds));
}

#[tokio::test]
async fn a_transaction_that_is_lost_writes_nothing() {
    let mut bench = Bench::create(1).await;
    let deposit = transfer(bench.cash, bench.wallets[0], 100);
    let mut tx = bench.conn.begin().await.unwrap();
    assert!(is_created(&post(&mut tx, Book::MAIN, std::slice::from_ref(&deposit)).await.unwrap()[0]));
    tx.rollback().await.unwrap();
    assert_eq!(bench.verify().await.leaves, 0);
    assert!(is_created(&bench.post_one(&deposit).await));
    assert!(bench.verify().await.is_clean());
}
