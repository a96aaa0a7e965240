//! `authenticate`: logging in, going on, and ending.

use serde_json::{Value, json};

use super::{PASSWORD, execute, log_in, path, scalar, session, with_password};
use crate::api::harness::{Answer, Api};

async fn refresh(api: &Api, token: &Value) -> Answer {
    api.nobody().post("/api/v1/sessions/refresh", &json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn authenticate_takes_the_right_password_and_tells_nothing_about_a_wrong_one() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let (session, caller) = session(&api, "ADA@example.org").await;
    assert_eq!(session["user"]["id"], user["id"]);
    assert_eq!(caller.get("/api/v1/users/me").await.json()["id"], user["id"]);
    let wrong = log_in(&api, "ada@example.org", "incorrect horse battery").await;
    let unknown = log_in(&api, "eve@example.org", PASSWORD).await;
    assert_eq!(
        (wrong.refusal(), wrong.json()["detail"].clone()),
        (unknown.refusal(), unknown.json()["detail"].clone())
    );
    assert_eq!(wrong.refusal().1, "invalid_credentials");
}

#[tokio::test]
async fn authenticate_makes_a_weak_hash_stronger() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    // Of the same password, with 8 MiB and one pass.
    let params = argon2::Params::new(8_192, 1, 1, None).unwrap();
    let weak = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let salt = argon2::password_hash::SaltString::encode_b64(b"sixteen bytes of").unwrap();
    let weak = argon2::password_hash::PasswordHasher::hash_password(&weak, PASSWORD.as_bytes(), &salt).unwrap();
    sqlx::query("update app.account_user set password_hash = $1 where email = 'ada@example.org'")
        .bind(weak.to_string())
        .execute(&api.pool)
        .await
        .unwrap();
    assert_eq!(log_in(&api, "ada@example.org", "incorrect horse battery").await.status, 401);
    let stored = "select password_hash from app.account_user where email = 'ada@example.org'";
    assert_eq!(scalar::<String>(&api, stored).await, weak.to_string(), "a wrong password changes nothing");
    session(&api, "ada@example.org").await;
    assert!(scalar::<String>(&api, stored).await.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    session(&api, "ada@example.org").await;
}

#[tokio::test]
async fn a_session_goes_on_with_new_tokens_and_the_old_ones_end_it() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let (first, before) = session(&api, "ada@example.org").await;
    let second = refresh(&api, &first["refresh_token"]).await;
    assert_eq!(second.status, 201, "{}", second.text);
    let second = second.json();
    assert_eq!((&second["id"], &second["ends_at"]), (&first["id"], &first["ends_at"]));
    assert_ne!((&second["token"], &second["refresh_token"]), (&first["token"], &first["refresh_token"]));
    assert_eq!(before.get("/api/v1/users/me").await.refusal().0, 401, "the bearer token of before is replaced");
    let now = api.bearer(second["token"].as_str().unwrap());
    assert_eq!(now.get("/api/v1/users/me").await.status, 200);

    // The answer was lost: the same question has the same answer.
    assert_eq!(refresh(&api, &first["refresh_token"]).await.json(), second);
    let third = refresh(&api, &second["refresh_token"]).await.json();
    // Two back is no lost answer.
    assert_eq!(refresh(&api, &first["refresh_token"]).await.refusal().1, "invalid_refresh_token");
    assert_eq!(refresh(&api, &third["refresh_token"]).await.refusal().1, "invalid_refresh_token", "the family is gone");
    assert_eq!(scalar::<i64>(&api, "select count(*) from app.session where revoked_at is null").await, 0);
}

#[tokio::test]
async fn a_refresh_token_used_again_after_a_while_ends_the_session() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let (first, _) = session(&api, "ada@example.org").await;
    let second = refresh(&api, &first["refresh_token"]).await.json();
    execute(&api, "update app.session set refreshed_at = refreshed_at - interval '11 seconds'").await;
    assert_eq!(refresh(&api, &first["refresh_token"]).await.refusal().1, "invalid_refresh_token");
    assert_eq!(refresh(&api, &second["refresh_token"]).await.refusal().1, "invalid_refresh_token");
}

#[tokio::test]
async fn a_session_ends_after_thirty_days_and_a_bearer_token_when_it_was_asked_to() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "token_seconds": 900 });
    let first = api.nobody().post("/api/v1/sessions", &body).await.json();
    let lasts = "select (expires_at - created_at = interval '15 minutes' and ends_at - created_at = interval '30 days') from app.session";
    assert!(scalar::<bool>(&api, lasts).await);
    execute(&api, "update app.session set ends_at = now() + interval '1 minute'").await;
    let second = refresh(&api, &first["refresh_token"]).await.json();
    assert_eq!(second["expires_at"], second["ends_at"], "no bearer token outlives its session");
    execute(&api, "update app.session set ends_at = now()").await;
    assert_eq!(refresh(&api, &second["refresh_token"]).await.refusal().0, 401);
    let body = json!({ "email": "ada@example.org", "password": PASSWORD, "token_seconds": 60 });
    assert_eq!(api.nobody().post("/api/v1/sessions", &body).await.refusal().2, ["/token_seconds out_of_range"]);
    for wrong in ["", "bnr_x", first["token"].as_str().unwrap()] {
        let answer = refresh(&api, &json!(wrong)).await;
        assert!([401, 422].contains(&answer.refusal().0), "{wrong}");
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let ((_, one), (two, second), (_, third)) = (
        session(&api, "ada@example.org").await,
        session(&api, "ada@example.org").await,
        session(&api, "ada@example.org").await,
    );
    let list = format!("{}/sessions", path(&user));
    let listed = one.get(&list).await.json();
    let current: Vec<bool> = listed["items"].as_array().unwrap().iter().map(|s| s["is_current"] == true).collect();
    assert_eq!(current, [true, false, false]);
    assert_eq!(listed["items"][0]["address"], "127.0.0.1");
    let (_, other) = api.customer().await;
    assert_eq!(other.get(&list).await.refusal().0, 404);
    let by_id = format!("/api/v1/sessions/{}", two["id"].as_str().unwrap());
    assert_eq!(other.delete(&by_id).await.refusal().0, 404);
    assert_eq!(one.delete(&by_id).await.status, 204);
    assert_eq!(second.get("/api/v1/users/me").await.refusal().0, 401);
    assert_eq!(one.delete("/api/v1/sessions/current").await.status, 204);
    assert_eq!(one.get("/api/v1/users/me").await.refusal().0, 401);
    assert_eq!(other.delete("/api/v1/sessions/current").await.refusal().0, 404, "an API key is no session");
    assert_eq!(third.get(&list).await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.admin.delete(&list).await.status, 204);
    assert_eq!(third.get("/api/v1/users/me").await.refusal().0, 401);
}
