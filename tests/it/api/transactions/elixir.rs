//! The functions of the service that this one replaces, by their names, and the flow that they make together.

use serde_json::{Value, json};

use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, rejected, transfer, with};

#[tokio::test]
async fn create_transaction() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let answer =
        ada.caller.post(TRANSACTIONS, &with(transfer(&ada, &bob, "12.50"), "reference", json!("order-1"))).await;
    let created = answer.json();
    assert_eq!((answer.status.as_u16(), &created["status"]), (202, &json!("pending")), "{}", answer.text);
    let saved: (String, i64) = sqlx::query_as("select reference, amount from app.transaction where id = $1::uuid")
        .bind(created["id"].as_str().unwrap())
        .fetch_one(&stage.api.pool)
        .await
        .unwrap();
    assert_eq!(saved, ("order-1".to_owned(), 1_250), "it is saved when it is answered");
}

#[tokio::test]
async fn get_transaction() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    let accepted = ada.caller.post(TRANSACTIONS, &transfer(&ada, &bob, "1")).await;
    let path = accepted.header("location").unwrap().to_owned();
    let found = ada.caller.get(&format!("{path}?wait=30")).await;
    assert_eq!((&found.json()["id"], &found.json()["status"]), (&accepted.json()["id"], &json!("recorded")));
    assert_eq!((bob.caller.get(&path).await.status.as_u16(), eve.caller.get(&path).await.status.as_u16()), (200, 404));
}

#[tokio::test]
async fn list_user_transactions() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "1")).await);
    let ids = |listed: Value| -> Vec<Value> {
        listed["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(bob.caller.get(TRANSACTIONS).await.json()), [moved["id"].clone()]);
    assert_eq!(ids(ada.caller.get(TRANSACTIONS).await.json())[0], moved["id"], "the newest first");
    assert!(ids(eve.caller.get(TRANSACTIONS).await.json()).is_empty(), "a user sees only their own");
    assert_eq!(eve.caller.get(&format!("{TRANSACTIONS}?account={}", ada.wallet)).await.status, 404);
}

#[tokio::test]
async fn record_transaction() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(10).await, stage.customer(0).await);
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "10")).await);
    let entries: Vec<i64> = sqlx::query_scalar("select amount from ledger.entry where seq = $1 order by amount")
        .bind(moved["seq"].as_i64().unwrap())
        .fetch_all(&stage.api.pool)
        .await
        .unwrap();
    assert_eq!(entries, [-1_000, 1_000], "once, and both sides of it");
    assert_eq!(rejected(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "1")).await), "insufficient_funds");
}

#[tokio::test]
async fn get_transaction_history() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    for amount in ["1", "2", "3"] {
        recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, amount)).await);
    }
    let entries = ada.caller.get(&format!("/api/v1/accounts/{}/entries?order=oldest_first", ada.wallet)).await.json();
    let shown: Vec<(&str, &str)> = entries["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["amount"]["amount"].as_str().unwrap(), entry["balance"]["amount"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("100.00", "100.00"), ("-1.00", "99.00"), ("-2.00", "97.00"), ("-3.00", "94.00")]);
}

/// Accepted and saved with its job in one commit, recorded once by a worker, and the event in the same commit.
#[tokio::test]
async fn the_flow_from_the_request_to_the_event() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let accepted = ada.caller.post(TRANSACTIONS, &transfer(&ada, &bob, "12.50")).await;
    assert_eq!(accepted.status, 202);
    let id = accepted.json()["id"].as_str().unwrap().to_owned();
    let done = ada.caller.get(&format!("{TRANSACTIONS}/{id}?wait=30")).await.json();
    assert_eq!(done["status"], "recorded");
    let job = ada.caller.get(&format!("/api/v1/jobs/{id}")).await.json();
    assert_eq!((&job["kind"], &job["state"]), (&json!("ledger.record_transaction"), &json!("succeeded")));
    // One database transaction wrote the entries' transaction, the verdict and the event.
    let same: (i64, bool) = sqlx::query_as(
        "select count(*), bool_and(event.xid::text = leaf.xmin::text and verdict.xmin::text = leaf.xmin::text)
         from app.event as event
         join ledger.transaction as leaf on leaf.id = $1::uuid
         join app.transaction as verdict on verdict.id = $1::uuid
         where event.topic = 'transactions:' || $1 and event.kind = 'transaction.recorded'",
    )
    .bind(&id)
    .fetch_one(&stage.api.pool)
    .await
    .unwrap();
    assert_eq!(same, (1, true));
    assert_eq!(
        (stage.funds(ada.wallet).await.0, stage.funds(bob.wallet).await.0),
        ("87.50".to_owned(), "12.50".to_owned())
    );
    let listed = bob.caller.get(&format!("{TRANSACTIONS}?status=recorded&counterparty={}", ada.wallet)).await.json();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["amount"]), (&json!(id), &pounds("12.50")));
}
