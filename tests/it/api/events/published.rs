//! What is published of a transaction's life, to whom, with which payload.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::api::transactions::kit::{
    Customer, Stage, TRANSACTIONS, finish, pounds, recorded, rejected, transfer, under, with,
};

/// Kind and payload of what was told on a topic, in its order.
async fn told(pool: &PgPool, topic: &str) -> Vec<(String, Value)> {
    sqlx::query_as("select kind, payload from app.event where topic = $1 order by at, n")
        .bind(topic)
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn kinds(pool: &PgPool, topic: &str) -> Vec<String> {
    told(pool, topic).await.into_iter().map(|(kind, _)| kind).collect()
}

fn of(transaction: &Value) -> String {
    format!("transactions:{}", transaction["id"].as_str().unwrap())
}

fn user(customer: &Customer) -> String {
    format!("user:{}", customer.person.principal.user_id)
}

#[tokio::test]
async fn a_transfer_is_told_to_both_and_a_balance_to_its_owner() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let done = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "12.50")).await);
    let pool = &stage.api.pool;
    let life = told(pool, &of(&done)).await;
    assert_eq!(
        life.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["transaction.accepted", "transaction.recorded"]
    );
    let expected = json!({
        "v": 1, "transaction_id": done["id"], "type": "transfer", "status": "recorded", "from": ada.wallet, "to": bob.wallet,
        "amount": pounds("12.50"), "legs": [], "reverses": null, "resolves": null, "seq": done["seq"],
        "recorded_at": life[1].1["recorded_at"], "reason": null,
    });
    assert_eq!(life[1].1, expected);
    let balance = |wallet, amount| json!({ "v": 1, "account_id": wallet, "balance": pounds(amount), "held_out": pounds("0.00"), "held_in": pounds("0.00") });
    for (who, amount) in [(&ada, "87.50"), (&bob, "12.50")] {
        let told = told(pool, &user(who)).await;
        let own: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
        assert!(own.ends_with(&["transaction.accepted", "transaction.recorded", "balance.changed"]), "{own:?}");
        let mut last = told.last().unwrap().1.clone();
        last.as_object_mut().unwrap().remove("version").unwrap();
        assert_eq!(last, balance(who.wallet, amount));
    }
}

#[tokio::test]
async fn refusals_reversals_and_holds_are_told() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let pool = &stage.api.pool;
    let refused = finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "100.01")).await;
    assert_eq!(rejected(&refused), "insufficient_funds");
    let life = told(pool, &of(&refused.json())).await;
    assert_eq!((life[1].0.as_str(), &life[1].1["reason"]), ("transaction.rejected", &json!("insufficient_funds")));
    let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "10")).await);
    let back = json!({ "type": "reversal", "reverses": moved["id"] });
    let back = recorded(&finish(&stage.api.admin, TRANSACTIONS, &back).await);
    let life = told(pool, &of(&moved)).await;
    assert_eq!(
        (life[2].0.as_str(), &life[2].1["by"], &life[2].1["is_part"]),
        ("transaction.reversed", &back["id"], &json!(false))
    );
    for (end, kind) in [("post", "transaction.posted"), ("void", "transaction.voided")] {
        let hold = with(transfer(&ada, &bob, "5"), "hold", json!({}));
        let hold = recorded(&finish(&ada.caller, TRANSACTIONS, &hold).await);
        recorded(&finish(&stage.api.admin, &under(&hold, end), &json!({})).await);
        assert_eq!(kinds(pool, &of(&hold)).await, ["transaction.accepted", "transaction.held", kind]);
    }
}

#[tokio::test]
async fn users_products_and_jobs_are_told_of() {
    let stage = Stage::start().await;
    let pool = &stage.api.pool;
    let new = json!({ "email": "ada@example.org", "name": "Ada" });
    let created = stage.api.admin.post("/api/v1/users", &new).await.json();
    let topic = format!("user:{}", created["id"].as_str().unwrap());
    let product = json!({ "sku": "a", "name": "b", "price": { "amount": "1", "currency": "GBP" } });
    let product = stage.api.admin.post("/api/v1/products", &product).await;
    assert_eq!(product.status, 201);
    let job = stage.api.admin.post("/api/v1/products/reindex", &Value::Null).await.json();
    let id = job["job_id"].as_str().or(job["id"].as_str()).unwrap().to_owned();
    stage.api.admin.get(&format!("/api/v1/jobs/{id}?wait=30")).await;
    let job = told(pool, &format!("jobs:{id}")).await;
    assert_eq!((job.last().unwrap().0.as_str(), &job.last().unwrap().1["state"]), ("job.ended", &json!("succeeded")));
    tests::wait::until_async("the wallet to be open", std::time::Duration::from_secs(60), async || {
        let kinds = kinds(pool, &topic).await;
        (kinds == ["user.created", "wallet.opened"]).then_some(())
    })
    .await;
    let own = kinds(pool, &format!("user:{}", stage.api.principal.user_id)).await;
    assert!(own.contains(&"product.created".to_owned()), "{own:?}");
}
