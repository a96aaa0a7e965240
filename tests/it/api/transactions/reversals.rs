//! Reversals: whole or in parts, and never more than there was.

use serde_json::{Value, json};

use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, refused, rejected, transfer, under};

#[tokio::test]
async fn parts_are_taken_back_until_nothing_is_left() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(50).await);
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "10")).await);
    let path = under(&moved, "reversal");
    let part = |amount: &str| json!({ "amount": pounds(amount) });
    let first = recorded(&finish(&bob.caller, &path, &part("4")).await);
    assert_eq!(
        (&first["type"], &first["reverses"], &first["amount"]),
        (&json!("reversal"), &moved["id"], &pounds("4.00"))
    );
    assert_eq!(rejected(&finish(&bob.caller, &path, &part("6.01")).await), "reversal_exceeds_original");
    assert_eq!(rejected(&finish(&bob.caller, &path, &json!({})).await), "partly_reversed");
    recorded(&finish(&bob.caller, &path, &part("6")).await);
    assert_eq!(rejected(&finish(&bob.caller, &path, &part("0.01")).await), "reversal_exceeds_original");
    assert_eq!(
        (stage.funds(ada.wallet).await.0, stage.funds(bob.wallet).await.0),
        ("100.00".to_owned(), "50.00".to_owned())
    );

    let more = finish(&bob.caller, &path, &part("10.01")).await;
    assert_eq!(
        refused(&more),
        (422, "more_than_original".to_owned(), vec!["/amount/amount more_than_original".to_owned()])
    );
    assert_eq!(refused(&finish(&ada.caller, &path, &part("1")).await).0, 404, "who paid takes nothing back");
    assert_eq!(refused(&finish(&bob.caller, &under(&first, "reversal"), &json!({})).await).0, 404);
    assert_eq!(refused(&finish(&ada.caller, &under(&first, "reversal"), &json!({})).await).1, "not_reversible");
    let nothing = json!({ "amount": pounds("0") });
    assert_eq!(refused(&finish(&bob.caller, &path, &nothing).await).2, ["/amount/amount positive"]);
}

#[tokio::test]
async fn of_many_parts_at_once_no_more_than_the_whole_is_taken_back() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(50).await);
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "10")).await);
    let (path, part) = (under(&moved, "reversal"), json!({ "amount": pounds("3") }));
    let answers = futures::future::join_all((0..10).map(|_| finish(&bob.caller, &path, &part))).await;
    let recorded: Vec<Value> = answers.iter().map(|answer| answer.json()).collect();
    let statuses = recorded.iter().filter(|one| one["status"] == "recorded").count();
    assert_eq!((statuses, stage.funds(bob.wallet).await.0), (3, "51.00".to_owned()));
}

#[tokio::test]
async fn what_a_hold_moved_is_taken_back_from_its_post() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let hold = super::kit::with(transfer(&ada, &bob, "60"), "hold", json!({}));
    let hold = recorded(&finish(&ada.caller, TRANSACTIONS, &hold).await);
    assert_eq!(refused(&finish(&bob.caller, &under(&hold, "reversal"), &json!({})).await).1, "not_reversible");
    let posted = recorded(&finish(&bob.caller, &under(&hold, "post"), &json!({})).await);
    recorded(&finish(&bob.caller, &under(&posted, "reversal"), &json!({})).await);
    assert_eq!(stage.funds(ada.wallet).await, ("100.00".to_owned(), "0.00".to_owned()));
}
