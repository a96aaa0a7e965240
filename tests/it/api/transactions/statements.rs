//! Balances at a point, and statements for a period.

use chrono::Days;
use serde_json::json;

use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, refused, transfer, with};

#[tokio::test]
async fn a_balance_is_told_for_any_point() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let early = with(transfer(&ada, &bob, "1"), "effective_at", json!("2020-01-01T00:00:00Z"));
    let early = recorded(&finish(&ada.caller, TRANSACTIONS, &early).await);
    let late = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "2")).await);
    let path = format!("/api/v1/accounts/{}/balance", bob.wallet);
    let at = early["recorded_at"].as_str().unwrap();
    for (query, balance) in [
        (String::new(), "3.00"),
        (format!("?at={at}"), "1.00"),
        ("?at=2020-06-01T00:00:00Z".to_owned(), "0.00"),
        ("?effective_at=2020-06-01T00:00:00Z".to_owned(), "1.00"),
        (format!("?seq={}", early["seq"]), "1.00"),
        (format!("?seq={}", late["seq"]), "3.00"),
        ("?seq=9223372036854775807".to_owned(), "3.00"),
    ] {
        assert_eq!(bob.caller.get(&format!("{path}{query}")).await.json()["balance"], pounds(balance), "{query}");
    }
    assert_eq!(refused(&bob.caller.get(&format!("{path}?seq=1&at={at}")).await).2, ["at not_allowed"]);
    assert_eq!(refused(&bob.caller.get(&format!("{path}?seq=-1")).await).2, ["seq invalid_parameter"]);
    assert_eq!(ada.caller.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_statement_goes_from_its_opening_to_its_closing_balance() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let words = with(transfer(&ada, &bob, "1.50"), "description", json!("=HYPERLINK(\"http://x\"), you"));
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &words).await);
    // More than one page of entries.
    let batch: Vec<_> = (0..1_000).map(|_| transfer(&ada, &bob, "0.01")).collect();
    finish(&ada.caller, &format!("{TRANSACTIONS}/batch"), &json!({ "transactions": batch })).await;
    finish(&ada.caller, &format!("{TRANSACTIONS}/batch"), &json!({ "transactions": batch })).await;
    let path = format!("/api/v1/accounts/{}/statement.csv", ada.wallet);
    let today = stage.now().await.date_naive();
    let tomorrow = today + Days::new(1);
    let answer = ada.caller.get(&format!("{path}?from={today}&to={tomorrow}")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, Some("text/csv")), "{}", answer.text);
    assert!(answer.header("content-disposition").unwrap().ends_with(&format!("{today}-{tomorrow}.csv\"")));
    let lines: Vec<&str> = answer.text.split("\r\n").collect();
    assert_eq!(lines.len(), 1 + 1 + 2_002 + 1 + 1, "header, opening, entries, closing, nothing");
    assert_eq!(lines[1], format!("opening,{today}T00:00:00.000000Z,,,,,,,,,0.00,GBP"));
    assert!(lines[2].contains(",deposit,") && lines[2].ends_with(",100.00,100.00,GBP"), "{}", lines[2]);
    let expected = format!(",{},{},transfer,{},", moved["id"].as_str().unwrap(), moved["seq"], bob.wallet);
    assert!(lines[3].contains(&expected), "{}", lines[3]);
    assert!(lines[3].ends_with(",,\"'=HYPERLINK(\"\"http://x\"\"), you\",-1.50,98.50,GBP"), "{}", lines[3]);
    assert!(lines[2_003].ends_with(",-0.01,78.50,GBP"), "{}", lines[2_003]);
    assert!(lines[2_004].starts_with("closing,") && lines[2_004].ends_with(",78.50,GBP"), "{}", lines[2_004]);

    let before = ada.caller.get(&format!("{path}?from=2020-01-01&to=2020-01-31")).await.text;
    let empty = "opening,2020-01-01T00:00:00.000000Z,,,,,,,,,0.00,GBP\r\nclosing,2020-02-01T00:00:00.000000Z,,,,,,,,,0.00,GBP\r\n";
    assert_eq!(before.split_once("\r\n").unwrap().1, empty);
    let later = ada.caller.get(&format!("{path}?from={tomorrow}&to=9999-12-31")).await.text;
    assert_eq!(later.matches(",78.50,GBP").count(), 2, "{later}");
    assert_eq!(refused(&ada.caller.get(&format!("{path}?from=2020-02-01&to=2020-01-31")).await).2, ["to before_from"]);
    assert_eq!(
        refused(&ada.caller.get(&format!("{path}?from=2020-02-30&to=2020-03-31")).await).2,
        ["from invalid_parameter"]
    );
    assert_eq!(bob.caller.get(&format!("{path}?from=2020-01-01&to=2020-01-31")).await.status, 404);
    let (csv, path) = ([("accept", "text/csv")], format!("{path}?from=2020-01-01&to=2020-01-31"));
    assert_eq!(ada.caller.send(reqwest::Method::GET, &path, &csv, Vec::new()).await.status, 200);
}
