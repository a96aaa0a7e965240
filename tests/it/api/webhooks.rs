//! Webhooks over HTTP: made, shown, changed, tried and removed.

use reqwest::Method;
use serde_json::json;

use super::harness::Api;

const URL: &str = "https://example.org/hooks";

#[tokio::test]
async fn a_webhook_shows_its_secret_once_and_is_changed_by_who_has_read_it() {
    let api = Api::start().await;
    let (_, user) = api.customer().await;
    let new = json!({ "url": URL, "kinds": ["transaction.*"], "description": "books" });
    let made = user.post_once("/api/v1/webhooks", "make", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (view, path) = (made.json(), made.header("location").unwrap().to_owned());
    assert!(view["secret"].as_str().unwrap().starts_with("whsec_"), "{view}");
    assert_eq!([&view["url"], &view["scope"], &view["status"]], [URL, "own", "enabled"]);
    let again = user.post_once("/api/v1/webhooks", "make", &new).await;
    assert_eq!((again.status.as_u16(), again.json()["id"].clone()), (201, view["id"].clone()));
    assert_eq!((again.header("idempotency-replayed"), again.json().get("secret")), (Some("true"), None));

    let read = user.get(&path).await;
    assert!(read.json().get("secret").is_none());
    let tag = read.header("etag").unwrap();
    let change = json!({ "status": "disabled", "description": null, "kinds": [] });
    let changed = user.patch(&path, tag, &change).await;
    assert_eq!(changed.json()["disabled_reason"], "by_hand");
    assert_eq!((changed.json().get("description"), &changed.json()["kinds"]), (None, &json!([])));
    assert_eq!(user.patch(&path, tag, &change).await.refusal().1, "precondition_failed");
    let refused = user.post(&format!("{path}/test"), &json!({})).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (409, "webhook_disabled"));
    let enabled = user.patch(&path, "*", &json!({ "status": "enabled" })).await;
    assert_eq!(enabled.json()["status"], "enabled");

    let rotated = user.post_once(&format!("{path}/secret"), "rotate", &json!({})).await.json();
    assert!(rotated["secret"] != view["secret"] && rotated["old_secret_until"].is_string(), "{rotated}");
    let repeated = user.post_once(&format!("{path}/secret"), "rotate", &json!({})).await.json();
    assert_eq!((repeated.get("secret"), &repeated["updated_at"]), (None, &rotated["updated_at"]));
    assert_eq!(user.get("/api/v1/webhooks").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(user.delete(&path).await.status, 428);
    assert_eq!(user.send(Method::DELETE, &path, &[("if-match", "*")], Vec::new()).await.status, 204);
    assert_eq!(user.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_test_is_a_delivery_that_can_be_looked_at() {
    let api = Api::start().await;
    let (_, user) = api.customer().await;
    let path = user.post("/api/v1/webhooks", &json!({ "url": URL })).await.header("location").unwrap().to_owned();
    let sent = user.post_once(&format!("{path}/test"), "try", &json!({})).await;
    assert_eq!(sent.status, 202, "{}", sent.text);
    let again = user.post_once(&format!("{path}/test"), "try", &json!({})).await;
    assert_eq!((again.json(), again.header("location")), (sent.json(), sent.header("location")));
    let delivery = user.get(sent.header("location").unwrap()).await.json();
    assert_eq!((&delivery["delivery"], &delivery["attempts"]), (&sent.json(), &json!([])));
    assert_eq!(delivery["body"]["type"], "webhook.test");
    let pending = user.get(&format!("{path}/deliveries?status=pending")).await.json();
    assert_eq!(pending["items"], json!([sent.json()]));
    assert_eq!(user.get(&format!("{path}/deliveries?status=failed")).await.json()["items"], json!([]));
    let job = user.get(&format!("/api/v1/jobs/{}", sent.json()["job_id"].as_str().unwrap())).await.json();
    assert_eq!(job["kind"], "webhooks.deliver");
    let replay = user.post(&format!("{path}/replay"), &json!({ "since": "2026-01-01T00:00:00Z" })).await;
    assert_eq!(replay.status, 202, "{}", replay.text);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_by_name() {
    let api = Api::start().await;
    let (_, user) = api.customer().await;
    let table = [
        (json!({ "url": "http://example.org" }), "/url https_needed"),
        (json!({ "url": "https://10.0.0.1" }), "/url address_not_allowed"),
        (json!({ "url": "https://0x7f.1/" }), "/url address_not_allowed"),
        (json!({ "url": "https://a:b@example.org" }), "/url has_credentials"),
        (json!({ "url": URL, "kinds": ["transaction.*", "*"] }), "/kinds/1 invalid_kind"),
        (json!({ "url": URL, "description": "" }), "/description too_short"),
    ];
    for (body, expected) in table {
        let (status, _, errors) = user.post("/api/v1/webhooks", &body).await.refusal();
        assert_eq!((status, errors), (422, vec![expected.to_owned()]), "{body}");
    }
    let refused = user.post("/api/v1/webhooks", &json!({ "url": URL, "scope": "book" })).await.refusal();
    assert_eq!(refused.0, 403);
    for _ in 0..20 {
        assert_eq!(user.post("/api/v1/webhooks", &json!({ "url": URL })).await.status, 201);
    }
    let refused = user.post("/api/v1/webhooks", &json!({ "url": URL })).await.refusal();
    assert_eq!((refused.0, refused.1.as_str()), (409, "too_many_webhooks"));
}
