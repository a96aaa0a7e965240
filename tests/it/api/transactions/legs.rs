//! Many legs: balanced in each currency, found by everybody who takes part, held and taken back whole.

use domain::accounts::{self, Erased};
use ledger::{Book, Currency};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::harness::Api;
use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, refused, rejected, under, with};

fn leg(account: Uuid, direction: &str, amount: &str, currency: &str) -> Value {
    json!({ "account": account, "direction": direction, "amount": { "amount": amount, "currency": currency } })
}

fn multi(legs: &[Value]) -> Value {
    json!({ "type": "multi_leg", "legs": legs })
}

#[tokio::test]
async fn a_payment_is_split_between_many() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    let legs = [
        leg(ada.wallet, "debit", "30", "GBP"),
        leg(bob.wallet, "credit", "20.50", "GBP"),
        leg(eve.wallet, "credit", "9.50", "GBP"),
    ];
    let split = recorded(&finish(&ada.caller, TRANSACTIONS, &multi(&legs)).await);
    assert_eq!((&split["from"], &split["amount"], &split["status"]), (&Value::Null, &Value::Null, &json!("recorded")));
    assert_eq!(split["legs"][1], leg(bob.wallet, "credit", "20.50", "GBP"));
    assert_eq!(
        (stage.funds(ada.wallet).await.0, stage.funds(eve.wallet).await.0),
        ("70.00".to_owned(), "9.50".to_owned())
    );
    for who in [&ada, &bob, &eve] {
        let listed = who.caller.get(&format!("{TRANSACTIONS}?type=multi_leg")).await.json();
        assert_eq!(listed["items"], json!([split]), "whoever takes part finds it");
        let entries = who.caller.get(&format!("/api/v1/accounts/{}/entries?type=multi_leg", who.wallet)).await.json();
        assert_eq!(entries["items"][0]["transaction_id"], split["id"]);
    }
    let other = stage.customer(0).await;
    assert_eq!(other.caller.get(&format!("{TRANSACTIONS}/{}", split["id"].as_str().unwrap())).await.status, 404);

    // Bob alone cannot give back what Eve got as well; staff can, whole.
    let reversal = under(&split, "reversal");
    assert_eq!(refused(&finish(&bob.caller, &reversal, &json!({})).await).0, 404);
    let part = finish(&stage.api.admin, &reversal, &json!({ "amount": pounds("1") })).await;
    assert_eq!(refused(&part).1, "part_of_many_legs");
    let back = recorded(&finish(&stage.api.admin, &reversal, &json!({})).await);
    assert_eq!(back["legs"][0], leg(ada.wallet, "credit", "30.00", "GBP"));
    assert_eq!(
        (stage.funds(ada.wallet).await.0, stage.funds(bob.wallet).await.0),
        ("100.00".to_owned(), "0.00".to_owned())
    );
}

#[tokio::test]
async fn legs_are_balanced_in_each_currency_and_debit_only_what_is_the_callers() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let (ada_euro, bob_euro) =
        (stage.wallet(&ada.person, Currency::EUR).await, stage.wallet(&bob.person, Currency::EUR).await);
    let (debit, credit) = (leg(ada.wallet, "debit", "30", "GBP"), leg(bob.wallet, "credit", "30", "GBP"));
    let (euros, more) = (leg(ada_euro, "debit", "5", "EUR"), leg(bob_euro, "credit", "5.01", "EUR"));
    let cash: Uuid =
        sqlx::query_scalar("select account_id from app.wallet where purpose = 'cash' and currency = 'GBP'")
            .fetch_one(&stage.api.pool)
            .await
            .unwrap();
    let zero = leg(bob_euro, "credit", "0", "GBP");
    let row = |legs: &[Value]| multi(legs);
    for (code, place, body) in [
        ("validation_failed", "/legs unbalanced", row(&[debit.clone(), credit.clone(), euros.clone(), more])),
        ("validation_failed", "/legs unbalanced", row(&[debit.clone(), leg(bob.wallet, "credit", "29", "GBP")])),
        ("validation_failed", "/legs too_few_items", row(std::slice::from_ref(&debit))),
        (
            "validation_failed",
            "/legs/2/account same_account",
            row(&[debit.clone(), leg(bob.wallet, "credit", "29", "GBP"), leg(bob.wallet, "credit", "1", "GBP")]),
        ),
        ("validation_failed", "/legs/2/amount/amount positive", row(&[debit.clone(), credit.clone(), zero])),
        (
            "validation_failed",
            "/from not_allowed",
            with(row(&[debit.clone(), credit.clone()]), "from", json!(ada.wallet)),
        ),
        (
            "currency_mismatch",
            "/legs/1/amount/currency currency_mismatch",
            row(&[debit.clone(), leg(bob_euro, "credit", "30", "GBP")]),
        ),
        (
            "account_not_found",
            "/legs/0/account account_not_found",
            row(&[leg(bob.wallet, "debit", "1", "GBP"), leg(ada.wallet, "credit", "1", "GBP")]),
        ),
        (
            "account_not_found",
            "/legs/1/account account_not_found",
            row(&[debit.clone(), leg(cash, "credit", "30", "GBP")]),
        ),
        (
            "account_not_found",
            "/legs/1/account account_not_found",
            row(&[debit.clone(), leg(Uuid::now_v7(), "credit", "30", "GBP")]),
        ),
    ] {
        let answer = finish(&ada.caller, TRANSACTIONS, &body).await;
        assert_eq!(refused(&answer), (422, code.to_owned(), vec![place.to_owned()]), "{body}");
    }
    // An exchange: two currencies at once, each balanced.
    let deposit = json!({ "type": "deposit", "to": bob_euro, "amount": { "amount": "50", "currency": "EUR" } });
    recorded(&finish(&stage.api.admin, TRANSACTIONS, &deposit).await);
    let back = leg(ada_euro, "credit", "35", "EUR");
    let exchange = multi(&[debit, credit, leg(bob_euro, "debit", "35", "EUR"), back]);
    assert_eq!(refused(&finish(&ada.caller, TRANSACTIONS, &exchange).await).1, "account_not_found");
    recorded(&finish(&stage.api.admin, TRANSACTIONS, &exchange).await);
    assert_eq!(
        (stage.funds(ada_euro).await.0, stage.funds(bob.wallet).await.0),
        ("35.00".to_owned(), "30.00".to_owned())
    );
}

#[tokio::test]
async fn a_thousand_legs_are_held_and_posted() {
    let stage = Stage::start().await;
    let ada = stage.customer(1_000).await;
    let mut legs = vec![leg(ada.wallet, "debit", "999", "GBP")];
    for _ in 0..999 {
        let person = tests::people::customer(&stage.api.pool, &stage.api.principal, Currency::GBP).await;
        legs.push(leg(person.wallet.0, "credit", "1", "GBP"));
    }
    let hold = with(multi(&legs), "hold", json!({}));
    let hold = recorded(&finish(&ada.caller, TRANSACTIONS, &hold).await);
    assert_eq!((hold["legs"].as_array().unwrap().len(), &hold["status"]), (1_000, &json!("held")));
    let posted = recorded(&finish(&ada.caller, &under(&hold, "post"), &json!({})).await);
    assert_eq!(posted["legs"], hold["legs"]);
    assert_eq!(stage.funds(ada.wallet).await, ("1.00".to_owned(), "0.00".to_owned()));
    legs.push(leg(Uuid::now_v7(), "credit", "1", "GBP"));
    assert_eq!(refused(&finish(&ada.caller, TRANSACTIONS, &multi(&legs)).await).2, ["/legs too_many_items"]);
    legs.pop();
    assert_eq!(rejected(&finish(&ada.caller, TRANSACTIONS, &multi(&legs)).await), "insufficient_funds");
}

#[tokio::test]
async fn who_is_on_one_of_many_legs_is_neither_deleted_nor_erased_before_it_is_recorded() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let ((bob, _), (eve, _)) = (api.customer().await, api.customer().await);
    let legs = [
        leg(ada.wallet.0, "debit", "3", "GBP"),
        leg(bob.wallet.0, "credit", "2", "GBP"),
        leg(eve.wallet.0, "credit", "1", "GBP"),
    ];
    // Nobody records it here.
    assert_eq!(caller.post(TRANSACTIONS, &multi(&legs)).await.status, 202);
    for person in [bob, eve] {
        let path = format!("/api/v1/users/{}", person.principal.user_id);
        let deleted = api.admin.send(Method::DELETE, &path, &[("if-match", "*")], Vec::new()).await;
        assert_eq!(deleted.refusal().1, "transactions_pending");
        let mut tx = api.pool.begin().await.unwrap();
        let erased = accounts::erase(&mut tx, Book::MAIN, person.principal.user_id).await.unwrap();
        assert_eq!(erased, Erased::Pending);
    }
}
