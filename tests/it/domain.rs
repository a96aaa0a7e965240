//! What the domain accepts, refuses and answers twice, on a real database.

use domain::idempotency::{self, Begin, Key};
use domain::transactions::record::{self, Verdict};
use domain::transactions::{Decision, Kind, NewTransaction, Transaction, accept};
use domain::{Error, Principal, ProductId};
use ledger::{AccountId, Book, Currency, Money, TransactionId};
use serde_json::json;
use sqlx::PgPool;
use tests::database::Database;
use tests::people::{admin, customer, newcomer, transfer};
use uuid::Uuid;

async fn accept_one(pool: &PgPool, principal: Principal, new: &NewTransaction) -> Decision {
    let mut conn = pool.acquire().await.unwrap();
    accept(&mut conn, Book::MAIN, &[(principal, new)]).await.unwrap().pop().unwrap()
}

async fn accepted(pool: &PgPool, principal: Principal, new: &NewTransaction) -> Transaction {
    match accept_one(pool, principal, new).await {
        Decision::Accepted(transaction) => transaction,
        other => panic!("{other:?}"),
    }
}

fn code(decision: Decision) -> &'static str {
    match decision {
        Decision::Accepted(_) => "accepted",
        Decision::Exists(_) => "exists",
        Decision::Refused(refusal) => refusal.code,
    }
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let pool = Database::create().await.pool(2).await;
    let admin = admin(&pool).await;
    let (ada, bob) = (customer(&pool, &admin, Currency::GBP).await, customer(&pool, &admin, Currency::GBP).await);
    let (late, euro) = (newcomer(&pool, &admin, Currency::GBP).await, customer(&pool, &admin, Currency::EUR).await);
    let good = transfer(ada.wallet, bob.wallet, 100);
    let nobody = AccountId(Uuid::now_v7());
    let euros = Some(Money { minor: 100, currency: Currency::EUR });
    let deposit = NewTransaction { kind: Kind::Deposit, from: None, ..good.clone() };
    let withdrawal = NewTransaction { kind: Kind::Withdrawal, to: None, ..good.clone() };
    let purchase = NewTransaction { kind: Kind::Purchase, product_id: Some(ProductId::new()), ..good.clone() };
    let reversal = |original| NewTransaction {
        kind: Kind::Reversal,
        from: None,
        to: None,
        amount: None,
        reverses: Some(original),
        ..good.clone()
    };
    let original = accepted(&pool, ada.principal, &good).await;
    let taken_back = accepted(&pool, bob.principal, &reversal(original.id)).await;
    let rejected = accepted(&pool, ada.principal, &good).await;
    let verdict = Verdict::Rejected { reason: "insufficient_funds".to_owned() };
    record::settle(&mut pool.acquire().await.unwrap(), 0, &[(rejected.id, verdict)]).await.unwrap();

    let rows: Vec<(&str, Principal, NewTransaction)> = vec![
        ("accepted", ada.principal, good.clone()),
        ("accepted", admin, good.clone()),
        ("accepted", admin, deposit.clone()),
        ("accepted", ada.principal, withdrawal.clone()),
        ("account_not_found", bob.principal, good.clone()),
        ("account_not_found", bob.principal, withdrawal),
        ("account_not_found", ada.principal, NewTransaction { to: Some(nobody), ..good.clone() }),
        ("account_not_found", admin, NewTransaction { from: Some(nobody), ..good.clone() }),
        ("account_not_open", ada.principal, NewTransaction { to: Some(late.wallet), ..good.clone() }),
        ("currency_mismatch", ada.principal, NewTransaction { to: Some(euro.wallet), ..good.clone() }),
        ("currency_mismatch", ada.principal, NewTransaction { amount: euros, ..good.clone() }),
        ("deposit_not_allowed", ada.principal, deposit),
        ("product_not_found", ada.principal, purchase),
        ("original_not_found", bob.principal, reversal(TransactionId(Uuid::now_v7()))),
        // Ada paid: only Bob, who was paid, may give it back. To her it is not there to be reversed.
        ("original_not_found", ada.principal, reversal(original.id)),
        ("original_rejected", bob.principal, reversal(rejected.id)),
        ("not_reversible", ada.principal, reversal(taken_back.id)),
    ];
    for (expected, principal, new) in rows {
        assert_eq!(code(accept_one(&pool, principal, &new).await), expected, "{new:?}");
    }
}

#[tokio::test]
async fn a_reference_names_one_transaction_of_its_caller() {
    let pool = Database::create().await.pool(2).await;
    let admin = admin(&pool).await;
    let (ada, bob) = (customer(&pool, &admin, Currency::GBP).await, customer(&pool, &admin, Currency::GBP).await);
    let named =
        |amount| NewTransaction { reference: Some("order 1".to_owned()), ..transfer(ada.wallet, bob.wallet, amount) };
    let (first, other) = (named(100), named(101));
    let mut conn = pool.acquire().await.unwrap();
    let mine = ada.principal;
    let decisions = accept(&mut conn, Book::MAIN, &[(mine, &first), (mine, &first), (mine, &other)]).await.unwrap();
    assert_eq!(decisions.into_iter().map(code).collect::<Vec<_>>(), ["accepted", "exists", "reference_taken"]);
    let decisions = accept(&mut conn, Book::MAIN, &[(mine, &first), (mine, &other), (admin, &first)]).await.unwrap();
    assert_eq!(decisions.into_iter().map(code).collect::<Vec<_>>(), ["exists", "reference_taken", "accepted"]);
}

#[tokio::test]
async fn a_repeated_request_waits_for_the_first_and_gets_its_answer() {
    let pool = Database::create().await.pool(3).await;
    let admin = admin(&pool).await;
    let key = |fingerprint| Key { route: "create_thing", key: "k1".to_owned(), fingerprint: [fingerprint; 32] };
    let mut first = pool.begin().await.unwrap();
    let begun = idempotency::begin(&mut first, &[(&admin, &key(1))]).await.unwrap();
    assert!(matches!(begun[..], [Ok(Begin::New)]));
    let repeated = tokio::spawn({
        let (pool, key) = (pool.clone(), key(1));
        async move {
            idempotency::begin(&mut pool.acquire().await.unwrap(), &[(&admin, &key)]).await.unwrap().pop().unwrap()
        }
    });
    tests::database::until_blocked(&pool).await;
    idempotency::finish(&mut first, &[(&admin, &key(1), json!({"id": 7}))]).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(repeated.await.unwrap().unwrap(), Begin::Replay(json!({"id": 7})));
    let mut conn = pool.acquire().await.unwrap();
    let other = idempotency::begin(&mut conn, &[(&admin, &key(2))]).await.unwrap().pop().unwrap();
    assert!(matches!(other, Err(Error::IdempotencyMismatch)));
}
