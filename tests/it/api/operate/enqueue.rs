//! Any kind of job, enqueued by hand.

use serde_json::{Value, json};

use super::kit::registry;
use crate::api::harness::Api;

#[tokio::test]
async fn each_kind_is_enqueued_from_its_example_and_decoded_by_a_worker() {
    let api = Api::start().await;
    let kinds = api.admin.get("/api/v1/job-kinds").await.json();
    let mut made = Vec::new();
    for kind in kinds["items"].as_array().unwrap() {
        let body = json!({ "kind": kind["kind"], "payload": kind["example"], "tags": ["example"] });
        let answer = api.admin.post("/api/v1/jobs", &body).await;
        assert_eq!(answer.status, 202, "{body} {}", answer.text);
        assert_eq!(
            answer.header("location"),
            Some(format!("/api/v1/jobs/{}", answer.json()["job_id"].as_str().unwrap()).as_str())
        );
        made.push(answer.json()["job_id"].as_str().unwrap().to_owned());
    }
    for queue in jobs::QUEUES {
        queue::testing::drain(&api.pool, &registry(), queue).await;
    }
    for id in made {
        let job = api.admin.get(&format!("/api/v1/jobs/{id}")).await.json();
        let is_well = ["succeeded", "discarded"].iter().any(|state| job["state"] == *state);
        assert!(is_well && job["tags"] == json!(["example"]), "{job}");
    }
}

#[tokio::test]
async fn a_payload_is_judged_before_it_is_stored() {
    let api = Api::start().await;
    let with = |kind: &str, payload: Value| json!({ "kind": kind, "payload": payload });
    let good = json!({ "shard": 0, "book_id": 1 });
    let mut elsewhere = with("products.categorize", good.clone());
    elsewhere["queue"] = json!("mars");
    let mut batch_elsewhere =
        with("ledger.record_transaction", json!({ "shard": 0, "transaction_id": uuid::Uuid::now_v7() }));
    batch_elsewhere["queue"] = json!("products");
    let rows: Vec<(Value, Vec<&str>)> = vec![
        (with("no.kind", json!({})), vec!["/kind unknown_kind"]),
        (with("products.categorize", json!({})), vec!["/payload/book_id required", "/payload/shard required"]),
        (with("products.categorize", json!({ "shard": "0", "book_id": 1 })), vec!["/payload/shard wrong_type"]),
        (with("products.categorize", json!({ "shard": 0, "book_id": 1, "x": 1 })), vec!["/payload/x unknown_field"]),
        (with("products.categorize", json!({ "shard": 0, "book_id": 2 })), vec!["/payload/book_id other_book"]),
        (with("products.categorize", json!({ "shard": 70_000, "book_id": 1 })), vec!["/payload/shard out_of_range"]),
        (with("products.categorize", json!({ "shard": 0.5, "book_id": 1 })), vec!["/payload/shard wrong_type"]),
        (with("products.categorize", json!([])), vec!["/payload wrong_type"]),
        (
            with("accounts.erase", json!({ "shard": 0, "book_id": 1, "user_id": "ada" })),
            vec!["/payload/user_id invalid_format"],
        ),
        (elsewhere, vec!["/queue unknown_queue"]),
        (batch_elsewhere, vec!["/queue unknown_queue"]),
    ];
    for (body, expected) in rows {
        let mut refusal = api.admin.post("/api/v1/jobs", &body).await.refusal();
        refusal.2.sort_unstable();
        assert_eq!((refusal.0, refusal.2), (422, expected.iter().map(|&one| one.to_owned()).collect()), "{body}");
    }
    assert_eq!(
        super::kit::ids(&api.admin.get("/api/v1/jobs").await.json()),
        [] as [uuid::Uuid; 0],
        "nothing was stored"
    );
}

#[tokio::test]
async fn what_is_said_of_a_job_holds_and_a_key_is_taken_once() {
    let api = Api::start().await;
    let body = json!({
        "kind": "products.categorize", "payload": { "shard": 0, "book_id": 1 }, "run_at": "2100-01-01T00:00:00Z", "priority": 7,
        "max_attempts": 2, "unique_key": "nightly", "queue": "accounts"
    });
    let first = api.admin.post_once("/api/v1/jobs", "k", &body).await;
    let again = api.admin.post_once("/api/v1/jobs", "k", &body).await;
    assert_eq!((first.json(), again.header("idempotency-replayed")), (again.json(), Some("true")));
    let job = api.admin.get(first.header("location").unwrap()).await.json();
    assert_eq!((&job["state"], &job["priority"], &job["max_attempts"]), (&json!("scheduled"), &json!(7), &json!(2)));
    assert_eq!((&job["queue"], &job["actor"]), (&json!("accounts"), &json!(api.principal.user_id.to_string())));
    let refused = api.admin.post("/api/v1/jobs", &body).await;
    assert_eq!((refused.refusal().1.as_str(), &refused.json()["existing_id"]), ("job_exists", &job["id"]));
    let audited =
        api.admin.get(&format!("/api/v1/audit?action=enqueue&target={}", job["id"].as_str().unwrap())).await.json();
    assert_eq!(audited["items"][0]["detail"]["kind"], "products.categorize", "{audited}");
}
