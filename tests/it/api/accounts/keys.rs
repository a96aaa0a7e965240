//! API keys.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{execute, scalar, session, with_password};
use crate::api::harness::Api;

const KEYS: &str = "/api/v1/api-keys";

#[tokio::test]
async fn a_key_is_shown_once_and_may_do_what_its_scopes_say() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let (_, ada) = session(&api, "ada@example.org").await;
    let new = json!({ "name": "export", "scopes": ["users:read", "credentials:write"], "expires_at": "2099-01-01T00:00:00Z" });
    let made = ada.post_once(KEYS, "one", &new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (location, made) = (made.header("location").unwrap().to_owned(), made.json());
    let key = api.bearer(made["key"].as_str().unwrap());
    assert_eq!(key.get("/api/v1/users/me").await.status, 200);
    let lacking = key.get("/api/v1/products").await;
    assert_eq!((lacking.refusal().0, &lacking.json()["scope"]), (403, &json!("products:read")));

    let again = ada.post_once(KEYS, "one", &new).await;
    assert_eq!((again.header("idempotency-replayed"), &again.json()["id"]), (Some("true"), &made["id"]));
    assert!(again.json().get("key").is_none(), "what is not kept cannot be shown again");
    let shown = ada.get(&location).await.json();
    assert_eq!((&shown["hint"], shown.get("key")), (&json!(&made["key"].as_str().unwrap()[..13]), None));
    assert_eq!(ada.get(KEYS).await.json()["items"].as_array().unwrap().len(), 1);

    // A key makes no key that may do more, or lasts longer.
    let more = key.post(KEYS, &json!({ "name": "more", "scopes": ["users:read", "products:read"] })).await;
    assert_eq!(more.refusal().2, ["/scopes/1 scope_not_held"]);
    let same = key.post(KEYS, &json!({ "name": "same" })).await.json();
    assert_eq!(
        (&same["scopes"], &same["expires_at"]),
        (&json!(["users:read", "credentials:write"]), &made["expires_at"])
    );
    let late = ada.post(KEYS, &json!({ "name": "late", "expires_at": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(late.refusal().2, ["/expires_at in_the_past"]);
}

#[tokio::test]
async fn a_key_is_withdrawn_by_its_owner_or_an_administrator_and_nobody_else() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let made = async || caller.post(KEYS, &json!({ "name": "mine" })).await.json();
    let path = |key: &Value| format!("{KEYS}/{}", key["id"].as_str().unwrap());
    let (one, two) = (made().await, made().await);
    assert_eq!(other.get(&path(&one)).await.refusal().0, 404);
    assert_eq!(other.delete(&path(&one)).await.refusal().0, 404);
    let theirs = format!("{KEYS}?user_id={}", ada.principal.user_id);
    assert_eq!(other.get(&theirs).await.refusal().0, 404);
    assert_eq!(api.admin.get(&theirs).await.json()["items"].as_array().unwrap().len(), 3);
    for (who, key) in [(&caller, &one), (&api.admin, &two)] {
        let bearer = api.bearer(key["key"].as_str().unwrap());
        assert_eq!(who.delete(&path(key)).await.status, 204);
        assert_eq!(who.delete(&path(key)).await.status, 204, "it stays withdrawn");
        assert_eq!(bearer.get("/api/v1/users/me").await.refusal().0, 401);
        assert!(who.get(&path(key)).await.json()["revoked_at"].is_string());
    }
    let third = made().await;
    execute(&api, "update app.api_key set expires_at = now() where name = 'mine'").await;
    assert_eq!(api.bearer(third["key"].as_str().unwrap()).get("/api/v1/users/me").await.refusal().0, 401);
}

#[tokio::test]
async fn the_use_of_a_key_is_noted_behind_the_request() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    assert_eq!(caller.get("/api/v1/users/me").await.status, 200);
    let noted = "select exists (select from app.api_key where last_used_at is not null)";
    let until_noted = async {
        while !scalar::<bool>(&api, noted).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), until_noted).await.expect("the use is noted");
    let mut conn = api.pool.acquire().await.unwrap();
    let id = sqlx::query_scalar("select id from app.api_key where last_used_at is not null")
        .fetch_one(&mut *conn)
        .await
        .unwrap();
    let before: chrono::DateTime<chrono::Utc> = scalar(&api, "select max(last_used_at) from app.api_key").await;
    domain::access::keys::note_use(&mut conn, 0, &[id]).await.unwrap();
    assert_eq!(
        scalar::<chrono::DateTime<chrono::Utc>>(&api, "select max(last_used_at) from app.api_key").await,
        before
    );
}

#[tokio::test]
async fn an_administrator_has_no_power_over_credentials_of_another_book() {
    let api = Api::start().await;
    let (person, caller) = api.customer().await;
    let key = caller.post(KEYS, &json!({ "name": "theirs" })).await.json()["id"].as_str().unwrap().to_owned();
    let session: Uuid = scalar(
        &api,
        "insert into app.session (shard, token_hash, user_id, expires_at)
         select 0, sha256('t'), user_id, now() + interval '1 hour' from app.api_key where name = 'theirs'
         returning id",
    )
    .await;
    assert_eq!(api.admin.get(&format!("{KEYS}/{key}")).await.status, 200);
    let moved = "update app.account_user set book_id = 2 where id = $1";
    sqlx::query(moved).bind(person.principal.user_id.0).execute(&api.pool).await.unwrap();
    for (method, path) in [
        (Method::GET, format!("{KEYS}/{key}")),
        (Method::DELETE, format!("{KEYS}/{key}")),
        (Method::DELETE, format!("/api/v1/sessions/{session}")),
    ] {
        let answer = api.admin.send(method, &path, &[], Vec::new()).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text);
    }
    let ended = "select (select count(*) from app.session where revoked_at is not null)
                     + (select count(*) from app.api_key where revoked_at is not null)";
    assert_eq!(scalar::<i64>(&api, ended).await, 0);
}
