//! Queues, kinds, limits and workers.

use serde_json::json;

use super::kit::{bury, categorize, enqueue, put};
use crate::api::harness::Api;

#[tokio::test]
async fn a_queue_shows_what_is_in_it_and_is_paused_and_limited() {
    let api = Api::start().await;
    let operator = api.operator().await;
    enqueue(&api.pool, categorize()).await;
    let dead = enqueue(&api.pool, categorize()).await;
    bury(&api.pool, dead, "x").await;
    let listed = operator.get("/api/v1/queues").await.json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
    let mut expected = jobs::QUEUES;
    expected.sort_unstable();
    assert_eq!(names, expected);
    let queue = operator.get("/api/v1/queues/products").await.json();
    assert_eq!((&queue["ready"], &queue["dead"], &queue["paused_at"]), (&json!(1), &json!(1), &json!(null)));
    assert!(queue["oldest_ready_s"].as_f64().is_some_and(|age_s| (0.0..60.0).contains(&age_s)), "{queue}");
    let paused = operator.post("/api/v1/queues/products/pause", &json!({})).await.json();
    assert!(paused["paused_at"].is_string() && paused["paused_by"].is_string(), "{paused}");
    let id = enqueue(&api.pool, categorize()).await;
    let explained = operator.get(&format!("/api/v1/jobs/{id}/explain")).await.json();
    assert!(explained["reasons"].as_array().unwrap().iter().any(|reason| reason["reason"] == "queue_paused"));
    let resumed = operator.post("/api/v1/queues/products/resume", &json!({})).await.json();
    assert_eq!(resumed["paused_at"], json!(null));
    let limited = put(&operator, "/api/v1/queues/products/limit", &json!({ "running_max": 3 })).await.json();
    assert_eq!(limited["running_max"], 3);
    assert_eq!(put(&operator, "/api/v1/queues/products/limit", &json!({})).await.json()["running_max"], json!(null));
    for (path, status) in [("/api/v1/queues/nowhere/pause", 404), ("/api/v1/job-kinds/no.kind/pause", 404)] {
        assert_eq!(operator.post(path, &json!({})).await.refusal().0, status, "{path}");
    }
    assert_eq!(operator.get("/api/v1/queues/nowhere").await.status, 404);
    let wrong = put(&operator, "/api/v1/queues/products/limit", &json!({ "running_max": -1 })).await.refusal();
    assert_eq!(wrong.2, ["/running_max out_of_range"]);
}

#[tokio::test]
async fn a_kind_is_paused_and_a_limit_set_and_reset() {
    let api = Api::start().await;
    let kinds = api.admin.get("/api/v1/job-kinds").await.json();
    let kind = |kinds: &serde_json::Value| {
        kinds["items"].as_array().unwrap().iter().find(|kind| kind["kind"] == "products.categorize").unwrap().clone()
    };
    assert_eq!(kind(&kinds)["schema"]["properties"]["product_id"]["format"], "uuid");
    let paused = api.admin.post("/api/v1/job-kinds/products.categorize/pause", &json!({})).await.json();
    assert!(paused["paused_at"].is_string(), "{paused}");
    assert!(kind(&api.admin.get("/api/v1/job-kinds").await.json())["paused_by"].is_string());
    let resumed = api.admin.post("/api/v1/job-kinds/products.categorize/resume", &json!({})).await.json();
    assert_eq!(resumed["paused_at"], json!(null));
    let rule = json!({ "running_max": 2, "rate": { "tokens": 30, "per_s": 60, "burst": 5 } });
    let limit = put(&api.admin, "/api/v1/limits/mail", &rule).await.json();
    assert_eq!((&limit["running_max"], &limit["rate_per_s"], &limit["burst"]), (&json!(2), &json!(0.5), &json!(5.0)));
    assert!(limit["changed_by"].is_string());
    let reset = api.admin.post("/api/v1/limits/mail/reset", &json!({})).await.json();
    assert_eq!(reset["changed_by"], json!(null));
    let listed = api.admin.get("/api/v1/limits").await.json();
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|limit| limit["name"].clone()).collect();
    assert_eq!(names, ["mail", "sequence"]);
    let refusals = [
        (put(&api.admin, "/api/v1/limits/mail", &json!({})).await.refusal().2, vec![" limits_nothing"]),
        (put(&api.admin, "/api/v1/limits/a%20b", &rule).await.refusal().2, vec!["name invalid_parameter"]),
        (put(&api.admin, "/api/v1/limits/sequence", &rule).await.refusal().2, vec![]),
        (api.admin.post("/api/v1/limits/none/reset", &json!({})).await.refusal().2, vec![]),
    ];
    for (given, expected) in refusals {
        assert_eq!(given, expected);
    }
}

#[tokio::test]
async fn workers_show_what_they_serve_and_have_in_hand() {
    let api = Api::start().await;
    let (live, lost, job) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7(), enqueue(&api.pool, categorize()).await);
    for (id, expires) in [(live, 3_600.0), (lost, -1.0)] {
        sqlx::query(
            "insert into queue.process (id, pid, host, queues, kinds, started_at, heartbeat_at, expires_at)
             values ($1, 7, 'host-a', '{products}', '{products.categorize}', now(), now(), now() + make_interval(secs => $2))",
        )
        .bind(id)
        .bind(expires)
        .execute(&api.pool)
        .await
        .unwrap();
    }
    let claim = sqlx::query("update queue.job set owner = $1, claimed_at = now(), epoch = 1 where id = $2");
    claim.bind(live).bind(job).execute(&api.pool).await.unwrap();
    let listed = api.admin.get("/api/v1/workers").await.json();
    let of = |id: uuid::Uuid| {
        listed["items"].as_array().unwrap().iter().find(|worker| worker["id"] == id.to_string().as_str()).unwrap()
    };
    assert_eq!((&of(live)["jobs"], &of(live)["is_live"], &of(live)["pid"]), (&json!(1), &json!(true), &json!(7)));
    assert_eq!((&of(lost)["jobs"], &of(lost)["is_live"]), (&json!(0), &json!(false)));
    let asked = api.admin.post(&format!("/api/v1/jobs/{job}/cancel"), &json!({})).await.json();
    assert_eq!(asked["state"], "running");
    assert!(asked["cancel_asked_by"].is_string(), "{asked}");
    let refused =
        api.admin.send(reqwest::Method::DELETE, &format!("/api/v1/jobs/{job}"), &[], Vec::new()).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (409, "job_running"));
}
