//! Jobs: listed, explained, and changed one by one and by filter.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::kit::{bury, categorize, enqueue, ids, run_products};
use crate::api::harness::Api;

#[tokio::test]
async fn jobs_are_listed_by_what_they_are_and_page_by_page() {
    let api = Api::start().await;
    let mut made = Vec::new();
    for number in 0..7 {
        let job = categorize().tag(format!("n{number}")).actor(if number < 3 { "ada" } else { "bob" });
        made.push(enqueue(&api.pool, job).await);
    }
    run_products(&api.pool).await;
    let child = enqueue(&api.pool, categorize().parent(made[0])).await;
    let later = enqueue(&api.pool, categorize().delay(Duration::from_secs(3_600))).await;
    let dead = enqueue(&api.pool, categorize().tag("bad")).await;
    bury(&api.pool, dead, "The Printer is on fire").await;
    let rows = [
        ("parent=", vec![child], Some(made[0].to_string())),
        ("state=succeeded&tag=n3", vec![made[3]], None),
        ("actor=ada", vec![made[2], made[1], made[0]], None),
        ("state=scheduled", vec![later], None),
        ("state=dead&kind=products.categorize", vec![dead], None),
        ("error=printer%20IS", vec![dead], None),
        ("state=ready&queue=products", vec![child], None),
        ("run_after=2000-01-01T00:00:00Z&created_before=2001-01-01T00:00:00Z", vec![], None),
        ("state=running", vec![], None),
        ("kind=accounts.erase", vec![], None),
    ];
    for (query, expected, value) in rows {
        let page = api.admin.get(&format!("/api/v1/jobs?{query}{}", value.unwrap_or_default())).await.json();
        assert_eq!(ids(&page), expected, "{query}");
        assert_eq!((&page["has_more"], &page["next_cursor"]), (&json!(false), &json!(null)), "{query}");
    }
    assert_eq!(ids(&api.admin.get("/api/v1/dead-letters?error=fire").await.json()), [dead]);
    let (mut path, mut seen) = ("/api/v1/jobs?limit=3".to_owned(), Vec::new());
    loop {
        let answer = api.admin.get(&path).await;
        seen.extend(ids(&answer.json()));
        let Some(link) = answer.header("link") else { break };
        path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    let mut all = [made, vec![child, later, dead]].concat();
    all.sort_unstable_by(|one, other| other.cmp(one));
    assert_eq!(seen, all, "the newest first, each once");
}

#[tokio::test]
async fn a_user_sees_and_changes_only_jobs_of_its_own() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let id = ada.principal.user_id.to_string();
    let own = enqueue(&api.pool, categorize().actor(&id).delay(Duration::from_secs(3_600))).await;
    let foreign = enqueue(&api.pool, categorize().actor("schedule:x")).await;
    assert_eq!(ids(&caller.get("/api/v1/jobs").await.json()), [own]);
    assert_eq!(ids(&caller.get("/api/v1/jobs?actor=schedule:x").await.json()), [] as [uuid::Uuid; 0]);
    assert_eq!(ids(&other.get("/api/v1/jobs").await.json()), [] as [uuid::Uuid; 0]);
    for path in ["", "/explain"] {
        assert_eq!(caller.get(&format!("/api/v1/jobs/{foreign}{path}")).await.status, 404);
        assert_eq!(caller.get(&format!("/api/v1/jobs/{own}{path}")).await.status, 200);
    }
    assert_eq!(other.post(&format!("/api/v1/jobs/{own}/cancel"), &json!({})).await.refusal().0, 404);
    assert_eq!(caller.post(&format!("/api/v1/jobs/{own}/retry"), &json!({})).await.json()["state"], "ready");
    assert_eq!(caller.post(&format!("/api/v1/jobs/{own}/cancel"), &json!({})).await.json()["state"], "cancelled");
    // What was promised to somebody is no user's to stop, not even the one's whom it was promised to.
    let payload = json!({ "shard": 0, "transaction_id": uuid::Uuid::now_v7() });
    let promise = jobs::catalogue::find("ledger.record_transaction").unwrap().job(&payload).unwrap();
    let promise = enqueue(&api.pool, promise.actor(&id)).await;
    let refused = caller.post(&format!("/api/v1/jobs/{promise}/cancel"), &json!({})).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (409, "job_not_cancellable"));
    for (method, path) in [
        (Method::POST, format!("/api/v1/jobs/{own}/prioritise")),
        (Method::POST, "/api/v1/jobs/bulk".to_owned()),
        (Method::DELETE, format!("/api/v1/jobs/{own}")),
        (Method::GET, "/api/v1/queues".to_owned()),
        (Method::GET, "/api/v1/schedules".to_owned()),
        (Method::GET, "/api/v1/audit".to_owned()),
        (Method::POST, "/api/v1/jobs".to_owned()),
    ] {
        let headers = [("content-type", "application/json")];
        assert_eq!(caller.send(method.clone(), &path, &headers, Vec::new()).await.refusal().0, 403, "{method} {path}");
    }
}

#[tokio::test]
async fn one_job_is_changed_and_says_what_stands_against_it() {
    let api = Api::start().await;
    let id = enqueue(&api.pool, categorize()).await;
    let path = format!("/api/v1/jobs/{id}");
    let moved =
        api.admin.post(&format!("{path}/reschedule"), &json!({ "run_at": "2100-01-01T00:00:00Z" })).await.json();
    assert_eq!((&moved["state"], &moved["run_at"]), (&json!("scheduled"), &json!("2100-01-01T00:00:00Z")));
    let urgent = api.admin.post(&format!("{path}/prioritise"), &json!({ "priority": 3 })).await.json();
    assert_eq!(urgent["priority"], 3);
    let explained = api.admin.get(&format!("{path}/explain")).await.json();
    assert_eq!(explained["reasons"][0]["reason"], "scheduled", "{explained}");
    assert!(explained["reasons"][0]["detail"]["due_in_s"].as_f64().is_some_and(|due_in_s| due_in_s > 1e9));
    assert_eq!(api.admin.get(&format!("{path}/payload")).await.json()["payload"]["book_id"], 1);
    let retried = api.admin.post(&format!("{path}/retry"), &json!({})).await.json();
    assert_eq!(retried["state"], "ready");
    assert_eq!(api.admin.post(&format!("{path}/retry"), &json!({})).await.refusal().1, "job_not_waiting");
    run_products(&api.pool).await;
    for change in ["cancel", "retry"] {
        assert_eq!(api.admin.post(&format!("{path}/{change}"), &json!({})).await.refusal().1, "job_ended");
    }
    assert_eq!(api.admin.send(Method::DELETE, &path, &[], Vec::new()).await.refusal().1, "job_ended");
    let dead = enqueue(&api.pool, categorize()).await;
    bury(&api.pool, dead, "x").await;
    assert_eq!(api.admin.post(&format!("/api/v1/jobs/{dead}/retry"), &json!({})).await.json()["state"], "ready");
    assert_eq!(api.admin.send(Method::DELETE, &format!("/api/v1/jobs/{dead}"), &[], Vec::new()).await.status, 204);
    assert_eq!(api.admin.get(&format!("/api/v1/jobs/{dead}")).await.status, 404);
    let wrong = api.admin.post(&format!("{path}/reschedule"), &json!({ "run_at": "9999-01-01T00:00:00Z" })).await;
    assert_eq!(wrong.refusal().2, ["/run_at out_of_range"]);
}

#[tokio::test]
async fn a_change_is_made_once_for_each_key() {
    let api = Api::start().await;
    let (one, other) = (enqueue(&api.pool, categorize()).await, enqueue(&api.pool, categorize()).await);
    let cancel = |id| format!("/api/v1/jobs/{id}/cancel");
    let first = api.admin.post_once(&cancel(one), "k", &json!({})).await;
    let again = api.admin.post_once(&cancel(one), "k", &json!({})).await;
    assert_eq!((first.json(), again.header("idempotency-replayed")), (again.json(), Some("true")));
    let refused = api.admin.post_once(&cancel(other), "k", &json!({})).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (409, "idempotency_key_reused"), "it is another job");
    let audited = api.admin.get("/api/v1/audit?action=cancel").await.json();
    assert_eq!(audited["items"].as_array().unwrap().len(), 1, "{audited}");
}

#[tokio::test]
async fn many_jobs_are_changed_by_filter_after_a_look() {
    let api = Api::start().await;
    for number in 0..5 {
        enqueue(&api.pool, categorize().tag(if number < 3 { "some" } else { "others" })).await;
    }
    let bulk = async |body| api.admin.post("/api/v1/jobs/bulk", &body).await;
    let some = json!({ "tag": "some" });
    let looked = bulk(json!({ "action": "cancel", "filter": some, "dry_run": true })).await.json();
    assert_eq!((&looked["matched"], &looked["changed"], &looked["audit_id"]), (&json!(3), &json!(0), &json!(null)));
    let done = bulk(json!({ "action": "cancel", "filter": some, "limit": 2 })).await.json();
    assert_eq!((&done["matched"], &done["changed"], &done["has_more"]), (&json!(2), &json!(2), &json!(true)));
    let done = bulk(json!({ "action": "prioritise", "filter": { "queue": "products" }, "priority": 1 })).await.json();
    assert_eq!(done["changed"], 3);
    let rows = [
        (json!({ "action": "cancel" }), "/filter required"),
        (json!({ "action": "cancel", "filter": {} }), "/filter empty_filter"),
        (json!({ "action": "cancel", "filter": some, "ids": [uuid::Uuid::now_v7()] }), "/filter one_of_two"),
        (json!({ "action": "prioritise", "filter": some }), "/priority required"),
        (json!({ "action": "cancel", "filter": some, "priority": 1 }), "/priority not_allowed"),
        (json!({ "action": "redrive", "filter": { "states": ["ready"] } }), "/filter/states state_not_applicable"),
        (json!({ "action": "cancel", "filter": { "queue": "a b" } }), "/filter/queue invalid_text"),
        (json!({ "action": "burn", "filter": some }), "/action unknown_value"),
        (json!({ "action": "cancel", "filter": some, "dry_run": "yes" }), "/dry_run wrong_type"),
    ];
    for (body, expected) in rows {
        assert_eq!(bulk(body.clone()).await.refusal().2, [expected], "{body}");
    }
    let audited = api.admin.get("/api/v1/audit?action=prioritise").await.json();
    assert_eq!(audited["items"][0]["jobs"], 3, "{audited}");
}

#[tokio::test]
async fn dead_letters_live_again() {
    let api = Api::start().await;
    for _ in 0..3 {
        let id = enqueue(&api.pool, categorize()).await;
        bury(&api.pool, id, "x").await;
    }
    let redrive = async |body| api.admin.post("/api/v1/dead-letters/redrive", &body).await.json();
    let filter = json!({ "kind": "products.categorize" });
    assert_eq!(redrive(json!({ "filter": filter, "dry_run": true })).await["matched"], 3);
    assert_eq!(redrive(json!({ "filter": filter })).await["changed"], 3);
    run_products(&api.pool).await;
    let ended = api.admin.get("/api/v1/jobs?state=succeeded").await.json();
    assert_eq!(ended["items"].as_array().unwrap().len(), 3);
    assert_eq!(ids(&api.admin.get("/api/v1/dead-letters").await.json()), [] as [uuid::Uuid; 0]);
}

#[tokio::test]
async fn whoever_waits_hears_of_the_end_at_once() {
    let api = Api::start().await;
    let id = enqueue(&api.pool, categorize()).await;
    let path = format!("/api/v1/jobs/{id}?wait=30");
    let waiting = tokio::spawn({
        let caller = api.admin.clone();
        async move { caller.get(&path).await.json() }
    });
    run_products(&api.pool).await;
    assert_eq!(waiting.await.unwrap()["state"], "succeeded");
    let pending = enqueue(&api.pool, categorize()).await;
    assert_eq!(api.admin.get(&format!("/api/v1/jobs/{pending}?wait=1")).await.json()["state"], "ready");
    let wrong = api.admin.get(&format!("/api/v1/jobs/{pending}?wait=31")).await.refusal();
    assert_eq!(wrong.2, ["wait invalid_parameter"]);
}
