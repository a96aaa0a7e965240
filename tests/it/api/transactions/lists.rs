//! Lists: every filter, both ways, page by page; and a batch whose answer waits.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::harness::Caller;
use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, refused, transfer, with};

/// The amounts of a list, from its first page to its last.
async fn amounts(who: &Caller, query: &str) -> Vec<String> {
    let (mut found, mut path) = (Vec::new(), format!("{TRANSACTIONS}?{query}"));
    loop {
        let answer = who.get(&path).await;
        let page = answer.json();
        assert_eq!(answer.status, 200, "{}", answer.text);
        let amount = |one: &Value| one["amount"]["amount"].as_str().unwrap().to_owned();
        found.extend(page["items"].as_array().unwrap().iter().map(amount));
        match answer.header("link") {
            Some(link) => path = link[1..].split_once('>').unwrap().0.to_owned(),
            None => return found,
        }
    }
}

#[tokio::test]
async fn every_filter_narrows_and_pages_join() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    for (to, amount, effective_at) in
        [(&bob, "1", "2020-01-01T00:00:00Z"), (&bob, "2", "2021-01-01T00:00:00Z"), (&eve, "3", "2022-01-01T00:00:00Z")]
    {
        let body = with(transfer(&ada, to, amount), "effective_at", json!(effective_at));
        recorded(&finish(&ada.caller, TRANSACTIONS, &body).await);
    }
    let middle = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &eve, "4")).await);
    finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &eve, "500")).await;
    let time = middle["created_at"].as_str().unwrap();
    for (query, expected) in [
        (format!("account={}", ada.wallet), vec!["500.00", "4.00", "3.00", "2.00", "1.00", "100.00"]),
        ("order=oldest_first&limit=2".to_owned(), vec!["100.00", "1.00", "2.00", "3.00", "4.00", "500.00"]),
        ("limit=1".to_owned(), vec!["500.00", "4.00", "3.00", "2.00", "1.00", "100.00"]),
        (format!("counterparty={}", eve.wallet), vec!["500.00", "4.00", "3.00"]),
        (format!("counterparty={}&limit=1&order=oldest_first", eve.wallet), vec!["3.00", "4.00", "500.00"]),
        ("status=rejected".to_owned(), vec!["500.00"]),
        ("type=deposit".to_owned(), vec!["100.00"]),
        ("currency=GBP&amount_min=2&amount_max=4.00".to_owned(), vec!["4.00", "3.00", "2.00"]),
        ("currency=EUR".to_owned(), vec![]),
        ("effective_from=2020-06-01T00:00:00Z&effective_before=2022-01-01T00:00:00Z".to_owned(), vec!["2.00"]),
        (format!("created_from={time}"), vec!["500.00", "4.00"]),
        (format!("created_before={time}&type=transfer"), vec!["3.00", "2.00", "1.00"]),
        ("product=0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00".to_owned(), vec![]),
    ] {
        assert_eq!(amounts(&ada.caller, &query).await, expected, "{query}");
    }
    assert_eq!(amounts(&stage.api.admin, &format!("counterparty={}", bob.wallet)).await, ["2.00", "1.00"]);
    for (query, expected) in [
        ("amount_min=2", "currency required"),
        ("currency=GBP&amount_min=2.001", "amount_min too_many_decimals"),
        ("currency=GBP&amount_max=x", "amount_max malformed_amount"),
        ("order=sideways", "order invalid_parameter"),
        ("status=done", "status invalid_parameter"),
        ("created_from=yesterday", "created_from invalid_parameter"),
        ("colour=red", "colour unknown_parameter"),
    ] {
        assert_eq!(refused(&ada.caller.get(&format!("{TRANSACTIONS}?{query}")).await).2, [expected], "{query}");
    }
}

#[tokio::test]
async fn a_batch_of_a_thousand_is_decided_one_by_one_and_may_be_waited_for() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(999).await, stage.customer(0).await);
    let mut batch: Vec<Value> = (0..1_000).map(|_| transfer(&ada, &bob, "1")).collect();
    batch[7] = transfer(&bob, &bob, "1");
    batch[7]["to"] = json!(ada.wallet);
    let headers = [("content-type", "application/json"), ("prefer", "wait=30"), ("idempotency-key", "batch")];
    let body = json!({ "transactions": batch }).to_string().into_bytes();
    let path = format!("{TRANSACTIONS}/batch");
    let answer = ada.caller.send(Method::POST, &path, &headers, body.clone()).await;
    let result = answer.json();
    assert_eq!((answer.status.as_u16(), answer.header("preference-applied")), (200, Some("wait=30")));
    assert_eq!((&result["accepted"], &result["refused"]), (&json!(999), &json!(1)));
    assert_eq!(result["items"][7]["problem"]["code"], "account_not_found");
    let status = |item: &Value| item["transaction"]["status"].as_str().map(ToOwned::to_owned);
    let recorded =
        result["items"].as_array().unwrap().iter().filter(|item| status(item).as_deref() == Some("recorded"));
    assert_eq!(recorded.count(), 999);
    assert_eq!(stage.funds(bob.wallet).await.0, "999.00");
    let again = ada.caller.send(Method::POST, &path, &headers, body).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (result, Some("true")));
    assert_eq!(stage.funds(bob.wallet).await.0, "999.00");
}

#[tokio::test]
async fn entries_are_filtered_and_read_both_ways() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    for (to, amount) in [(&bob, "1"), (&eve, "2"), (&bob, "3")] {
        recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, to, amount)).await);
    }
    let path = format!("/api/v1/accounts/{}/entries", ada.wallet);
    let caller = &ada.caller;
    let entries = |query: &str| {
        let path = format!("{path}?{query}");
        async move {
            let page = caller.get(&path).await.json();
            let amount = |entry: &Value| entry["amount"]["amount"].as_str().unwrap().to_owned();
            page["items"].as_array().unwrap().iter().map(amount).collect::<Vec<_>>()
        }
    };
    let all = ada.caller.get(&path).await.json();
    let time = all["items"][1]["recorded_at"].as_str().unwrap();
    assert_eq!(entries("").await, ["-3.00", "-2.00", "-1.00", "100.00"]);
    assert_eq!(entries("order=oldest_first&limit=2").await, ["100.00", "-1.00"]);
    assert_eq!(entries("type=deposit").await, ["100.00"]);
    assert_eq!(entries(&format!("counterparty={}", bob.wallet)).await, ["-3.00", "-1.00"]);
    assert_eq!(entries(&format!("from={time}")).await, ["-3.00", "-2.00"]);
    assert_eq!(entries(&format!("before={time}")).await, ["-1.00", "100.00"]);
    assert_eq!(pounds("100.00"), all["items"][3]["balance"]);
}
