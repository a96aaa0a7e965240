//! Holds: set aside, posted whole or in part, voided, expired; and who may do that.

use serde_json::{Value, json};

use super::kit::{Customer, Stage, TRANSACTIONS, finish, pounds, recorded, refused, rejected, transfer, under, with};

async fn held(from: &Customer, to: &Customer, amount: &str) -> Value {
    let hold =
        recorded(&finish(&from.caller, TRANSACTIONS, &with(transfer(from, to, amount), "hold", json!({}))).await);
    assert_eq!((&hold["status"], &hold["is_hold"]), (&json!("held"), &json!(true)));
    hold
}

async fn state(of: &Customer, transaction: &Value) -> Value {
    of.caller.get(&format!("{TRANSACTIONS}/{}", transaction["id"].as_str().unwrap())).await.json()["status"].take()
}

fn funds(balance: &str, held: &str) -> (String, String) {
    (balance.to_owned(), held.to_owned())
}

#[tokio::test]
async fn what_is_held_is_there_and_not_available_until_it_is_posted() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let hold = held(&ada, &bob, "60").await;
    assert_eq!(
        (stage.funds(ada.wallet).await, stage.funds(bob.wallet).await.0),
        (funds("100.00", "60.00"), "0.00".to_owned())
    );
    assert_eq!(rejected(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "41")).await), "insufficient_funds");

    let posted = recorded(&finish(&bob.caller, &under(&hold, "post"), &json!({ "amount": pounds("45.50") })).await);
    assert_eq!((&posted["type"], &posted["hold_id"]), (&json!("post"), &hold["id"]));
    assert_eq!((&posted["amount"], &posted["status"]), (&pounds("45.50"), &json!("recorded")));
    assert_eq!(state(&ada, &hold).await, "posted");
    assert_eq!(
        (stage.funds(ada.wallet).await, stage.funds(bob.wallet).await.0),
        (funds("54.50", "0.00"), "45.50".to_owned())
    );
    let again = finish(&bob.caller, &under(&hold, "post"), &json!({})).await;
    assert_eq!(refused(&again), (409, "already_posted".to_owned(), vec!["id already_posted".to_owned()]));
    assert_eq!(refused(&finish(&bob.caller, &under(&hold, "void"), &json!({})).await).1, "already_posted");
}

#[tokio::test]
async fn a_hold_is_voided_by_who_would_be_paid_and_by_nobody_else() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    let hold = held(&ada, &bob, "60").await;
    let (post, void) = (under(&hold, "post"), under(&hold, "void"));
    assert_eq!(refused(&finish(&ada.caller, &void, &json!({})).await).1, "void_not_allowed");
    assert_eq!(refused(&finish(&eve.caller, &void, &json!({})).await).0, 404);
    assert_eq!(refused(&finish(&eve.caller, &post, &json!({})).await).0, 404);
    let more = finish(&ada.caller, &post, &json!({ "amount": pounds("60.01") })).await;
    assert_eq!(refused(&more), (422, "more_than_held".to_owned(), vec!["/amount/amount more_than_held".to_owned()]));
    let euros = json!({ "amount": { "amount": "1", "currency": "EUR" } });
    assert_eq!(refused(&finish(&ada.caller, &post, &euros).await).1, "currency_mismatch");
    let plain = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "1")).await);
    assert_eq!(refused(&finish(&ada.caller, &under(&plain, "post"), &json!({})).await).1, "not_a_hold");

    let voided = recorded(&finish(&bob.caller, &void, &json!({ "description": "out of stock" })).await);
    assert_eq!((&voided["type"], &voided["amount"]), (&json!("void"), &pounds("60.00")));
    assert_eq!(state(&ada, &hold).await, "voided");
    assert_eq!(stage.funds(ada.wallet).await, funds("99.00", "0.00"));
    assert_eq!(refused(&finish(&bob.caller, &post, &json!({})).await).1, "already_voided");
    let by_payer = held(&ada, &bob, "10").await;
    recorded(&finish(&ada.caller, &under(&by_payer, "post"), &json!({})).await);
    assert_eq!(stage.funds(bob.wallet).await.0, "11.00");
}

#[tokio::test]
async fn a_hold_expires_and_can_then_be_neither_posted_nor_voided() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let soon = stage.now().await + chrono::TimeDelta::milliseconds(1_500);
    let body = with(transfer(&ada, &bob, "60"), "hold", json!({ "expires_at": soon.to_rfc3339() }));
    let hold = recorded(&finish(&ada.caller, TRANSACTIONS, &body).await);
    // The ledger's own job frees what was held; the balance is the signal.
    while stage.funds(ada.wallet).await.1 != "0.00" {}
    assert_eq!(state(&bob, &hold).await, "expired");
    assert_eq!(refused(&finish(&bob.caller, &under(&hold, "post"), &json!({})).await).1, "hold_expired");
    assert_eq!(refused(&finish(&bob.caller, &under(&hold, "void"), &json!({})).await).1, "hold_expired");
    let listed = ada.caller.get(&format!("{TRANSACTIONS}?status=expired")).await.json();
    assert_eq!((&listed["items"][0]["id"], &listed["items"][1]), (&hold["id"], &Value::Null));
    let past = with(transfer(&ada, &bob, "1"), "hold", json!({ "expires_at": "2020-01-01T00:00:00Z" }));
    assert_eq!(rejected(&finish(&ada.caller, TRANSACTIONS, &past).await), "timeout_in_past");
}

#[tokio::test]
async fn of_many_who_end_a_hold_one_does() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let hold = held(&ada, &bob, "60").await;
    let (post, void, empty) = (under(&hold, "post"), under(&hold, "void"), json!({}));
    let ends = (0..20).map(|n| finish(&bob.caller, if n % 2 == 0 { &post } else { &void }, &empty));
    let answers = futures::future::join_all(ends).await;
    let ended = answers.iter().filter(|answer| answer.json()["status"] == "recorded").count();
    assert_eq!(ended, 1);
    for answer in answers.iter().filter(|answer| answer.json()["status"] != "recorded") {
        let code = if answer.status == 200 { rejected(answer) } else { refused(answer).1 };
        assert!(["hold_ended", "already_posted", "already_voided"].contains(&code.as_str()), "{code}");
    }
    assert_eq!(stage.funds(ada.wallet).await.1, "0.00");
}

#[tokio::test]
async fn what_ends_a_hold_is_safe_to_repeat() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let (first, second) = (held(&ada, &bob, "10").await, held(&ada, &bob, "20").await);
    let body = json!({ "amount": pounds("5") });
    let answer = bob.caller.post_once(&under(&first, "post"), "key", &body).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let again = bob.caller.post_once(&under(&first, "post"), "key", &body).await;
    assert_eq!((again.status, again.json()), (answer.status, answer.json()));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = bob.caller.post_once(&under(&second, "post"), "key", &body).await;
    assert_eq!(refused(&other).1, "idempotency_key_reused", "the transaction is part of the request");
}
