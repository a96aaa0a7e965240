//! Whatever transactions do, requests and ledger agree; and where they are made to differ, it is found.

use serde_json::{Value, json};

use super::kit::{Stage, TRANSACTIONS, finish, pounds, recorded, rejected, transfer, under, with};

/// A full run, when it has ended.
async fn reconcile(stage: &Stage) -> Value {
    let asked = stage.api.admin.post("/api/v1/ledger/reconciliations", &json!({ "kind": "full" })).await;
    let location = asked.header("location").unwrap().to_owned();
    loop {
        let run = stage.api.admin.get(&location).await.json();
        if run["ended_at"].is_string() {
            return run;
        }
    }
}

#[tokio::test]
async fn every_kind_of_transaction_reconciles() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(50).await, stage.customer(0).await);
    let admin = &stage.api.admin;
    let leg = |account: uuid::Uuid, direction: &str, amount: &str| json!({ "account": account, "direction": direction, "amount": pounds(amount) });
    let legs = [leg(ada.wallet, "debit", "3"), leg(bob.wallet, "credit", "1"), leg(eve.wallet, "credit", "2")];
    let many = json!({ "type": "multi_leg", "legs": legs });
    let held = |body: Value| with(body, "hold", json!({ "expires_at": "2100-01-01T00:00:00.123456789Z" }));
    let mut ends = Vec::new();
    for body in [transfer(&ada, &bob, "5"), many.clone()] {
        for end in ["post", "void"] {
            let hold = recorded(&finish(admin, TRANSACTIONS, &held(body.clone())).await);
            ends.push(recorded(&finish(admin, &under(&hold, end), &json!({})).await));
        }
    }
    recorded(&finish(admin, TRANSACTIONS, &held(many)).await);
    recorded(&finish(admin, &under(&ends[0], "reversal"), &json!({ "amount": pounds("1") })).await);
    recorded(&finish(admin, &under(&ends[2], "reversal"), &json!({})).await);
    // Held by nobody: what would end a hold that was rejected is rejected as well.
    let too_much = admin.post(TRANSACTIONS, &held(transfer(&ada, &bob, "1000"))).await.json();
    let orphan = finish(admin, &under(&too_much, "post"), &json!({})).await;
    match orphan.status.as_u16() {
        200 => assert_eq!(rejected(&orphan), "hold_rejected"),
        _ => assert_eq!(orphan.refusal().1, "hold_rejected"),
    }
    let run = reconcile(&stage).await;
    assert_eq!(run["state"], "clean", "{run}");

    let planted = "update app.transaction_leg set amount = amount + 1
                   where transaction_id = (select id from app.transaction where kind = 'post' and leg_count is not null)";
    sqlx::query(planted).execute(&stage.api.pool).await.unwrap();
    let planted =
        "update app.transaction set expires_at = expires_at + interval '1 day' where act = 'hold' and ended is null";
    sqlx::query(planted).execute(&stage.api.pool).await.unwrap();
    let run = reconcile(&stage).await;
    assert_eq!(run["state"], "breaks", "{run}");
    let breaks = admin.get("/api/v1/ledger/breaks").await.json();
    let found: Vec<&str> =
        breaks["items"].as_array().unwrap().iter().map(|one| one["sub_class"].as_str().unwrap()).collect();
    assert!(found.len() >= 2 && found.iter().all(|one| *one == "request_differs"), "{breaks}");
}
