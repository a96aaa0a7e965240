//! Schedules: made, read, changed by whoever has read them, paused, run and deleted.

use reqwest::Method;
use serde_json::{Value, json};

use super::kit::conditional;
use crate::api::harness::Api;

fn nightly() -> Value {
    json!({
        "name": "nightly", "kind": "products.categorize", "payload": { "shard": 0, "book_id": 1 }, "spec": "30 1 * * *",
        "time_zone": "Europe/London", "overlap": "skip"
    })
}

const PATH: &str = "/api/v1/schedules/nightly";

#[tokio::test]
async fn a_schedule_lives_from_its_creation_to_its_deletion() {
    let api = Api::start().await;
    let operator = api.operator().await;
    let made = operator.post("/api/v1/schedules", &nightly()).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, Some(PATH)), "{}", made.text);
    assert_eq!(operator.post("/api/v1/schedules", &nightly()).await.refusal().1, "schedule_exists");
    let read = operator.get(PATH).await;
    assert_eq!((&read.json()["queue"], &read.json()["catch_up"]), (&json!("products"), &json!("last")));
    let tag = read.header("etag").unwrap().to_owned();
    let ticks = operator.get(&format!("{PATH}/ticks")).await.json();
    let local = ticks["next_local"].as_array().unwrap();
    assert_eq!((ticks["next"].as_array().unwrap().len(), local.len()), (10, 10));
    let is_half_past_one =
        |tick: &Value| tick.as_str().unwrap()[11..19] == *"01:30:00" || tick.as_str().unwrap().contains("02:00:00");
    assert!(local.iter().all(is_half_past_one), "{local:?}");
    let changed = conditional(&operator, Method::PATCH, PATH, Some(&tag), &json!({ "spec": "0 4 * * *" })).await;
    assert_eq!((&changed.json()["spec"], &changed.json()["is_overridden"]), (&json!("0 4 * * *"), &json!(true)));
    let stale =
        conditional(&operator, Method::PATCH, PATH, Some(&tag), &json!({ "spec": "0 5 * * *" })).await.refusal();
    assert_eq!((stale.0, stale.1.as_str()), (412, "precondition_failed"));
    let unsaid = conditional(&operator, Method::PATCH, PATH, None, &json!({ "spec": "0 5 * * *" })).await.refusal();
    assert_eq!((unsaid.0, unsaid.1.as_str()), (428, "precondition_required"));
    assert_eq!(operator.post(&format!("{PATH}/pause"), &json!({})).await.json()["is_paused"], true);
    let run = operator.post_once(&format!("{PATH}/run"), "once", &json!({})).await;
    assert_eq!(run.status, 202, "also while it is paused");
    let busy = operator.post(&format!("{PATH}/run"), &json!({})).await;
    assert_eq!((busy.refusal().1.as_str(), &busy.json()["existing_id"]), ("schedule_busy", &run.json()["job_id"]));
    let again = operator.post_once(&format!("{PATH}/run"), "once", &json!({})).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (run.json(), Some("true")));
    assert_eq!(operator.post(&format!("{PATH}/resume"), &json!({})).await.json()["is_paused"], false);
    assert_eq!(operator.post(&format!("{PATH}/revert"), &json!({})).await.json()["is_overridden"], false);
    let listed = operator.get("/api/v1/schedules").await.json();
    assert_eq!(
        (&listed["items"][0]["name"], &listed["items"][0]["last_job_id"]),
        (&json!("nightly"), &run.json()["job_id"])
    );
    assert_eq!(conditional(&operator, Method::DELETE, PATH, Some("\"x\""), &json!(null)).await.refusal().0, 412);
    assert_eq!(conditional(&operator, Method::DELETE, PATH, Some("*"), &json!(null)).await.status, 204);
    assert_eq!(operator.get(PATH).await.status, 404);
    let audited = operator.get("/api/v1/audit?target=nightly").await.json();
    let actions: Vec<_> = audited["items"].as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    let expected = [
        "delete_schedule",
        "revert_schedule",
        "resume_schedule",
        "run_schedule",
        "pause_schedule",
        "change_schedule",
        "create_schedule",
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_wrong_schedule_is_refused_by_field() {
    let api = Api::start().await;
    let rows = [
        ("spec", json!("0 25 * * *"), "/spec invalid_field"),
        ("spec", json!("0 0 31 2 *"), "/spec never_fires"),
        ("spec", json!("* * *"), "/spec field_count"),
        ("spec", json!("@every 0s"), "/spec invalid_period"),
        ("spec", json!("@noon"), "/spec unknown_word"),
        ("time_zone", json!("Europe/Atlantis"), "/time_zone unknown_time_zone"),
        ("kind", json!("no.kind"), "/kind unknown_kind"),
        ("payload", json!({ "shard": 0 }), "/payload/book_id required"),
        ("catch_up", json!("all"), "/catch_up_max required"),
        ("catch_up_max", json!(3), "/catch_up_max not_allowed"),
        ("overlap", json!("queue"), "/overlap unknown_value"),
        ("priority", json!(100), "/priority out_of_range"),
    ];
    for (field, value, expected) in rows {
        let mut body = nightly();
        body[field] = value;
        let refusal = api.admin.post("/api/v1/schedules", &body).await.refusal();
        assert_eq!((refusal.0, refusal.2), (422, vec![expected.to_owned()]), "{body}");
    }
    let mut body = nightly();
    body["spec"] = json!("0 25 * * *");
    let told = api.admin.post("/api/v1/schedules", &body).await.json()["errors"][0]["detail"].clone();
    assert!(told.as_str().unwrap().contains("`25` is no hour: it is 0 to 23"), "{told}");
}

#[tokio::test]
async fn schedules_are_listed_page_by_page() {
    let api = Api::start().await;
    for name in ["a", "b", "c"] {
        let mut body = nightly();
        body["name"] = json!(name);
        assert_eq!(api.admin.post("/api/v1/schedules", &body).await.status, 201);
    }
    let (mut path, mut seen) = ("/api/v1/schedules?limit=2".to_owned(), Vec::new());
    loop {
        let answer = api.admin.get(&path).await;
        seen.extend(answer.json()["items"].as_array().unwrap().iter().map(|item| item["name"].clone()));
        let Some(link) = answer.header("link") else { break };
        path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    assert_eq!(seen, ["a", "b", "c"]);
}
