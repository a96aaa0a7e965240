//! New passwords.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PASSWORD, execute, log_in, path, scalar, session, with_password};
use crate::api::harness::{Answer, Api, Caller};

const OTHER: &str = "a walrus plays the tuba at noon";

async fn change(caller: &Caller, user: &Value, current: &str, new: &str) -> Answer {
    let body = json!({ "current_password": current, "new_password": new });
    let headers = [("content-type", "application/json")];
    caller.send(Method::PUT, &format!("{}/password", path(user)), &headers, body.to_string().into_bytes()).await
}

async fn confirm(api: &Api, token: &Value, password: &str) -> Answer {
    api.nobody().post("/api/v1/password-resets/confirm", &json!({ "token": token, "password": password })).await
}

#[tokio::test]
async fn a_user_changes_its_own_password_and_its_other_sessions_end() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let ((_, here), (_, elsewhere)) = (session(&api, "ada@example.org").await, session(&api, "ada@example.org").await);
    let key = here.post("/api/v1/api-keys", &json!({ "name": "mine" })).await.json();
    let by_key = api.bearer(key["key"].as_str().unwrap());
    assert_eq!(change(&by_key, &user, PASSWORD, OTHER).await.refusal().0, 403);
    assert_eq!(change(&api.admin, &user, PASSWORD, OTHER).await.refusal().0, 404);
    assert_eq!(
        change(&here, &user, "incorrect horse battery", OTHER).await.refusal().2,
        ["/current_password wrong_password"]
    );
    assert_eq!(
        change(&here, &user, PASSWORD, "qwertyuiopasdfghjkl").await.refusal().2,
        ["/new_password common_password"]
    );
    assert_eq!(change(&here, &user, PASSWORD, PASSWORD).await.refusal().2, ["/new_password unchanged"]);
    assert_eq!(change(&here, &user, PASSWORD, OTHER).await.status, 204);
    assert_eq!(here.get("/api/v1/users/me").await.status, 200);
    assert_eq!(elsewhere.get("/api/v1/users/me").await.refusal().0, 401);
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.refusal().0, 401);
    assert_eq!(log_in(&api, "ada@example.org", OTHER).await.status, 201);
    for _ in 0..5 {
        change(&here, &user, "incorrect horse battery", PASSWORD).await;
    }
    assert_eq!(change(&here, &user, OTHER, PASSWORD).await.refusal().0, 429, "it is no way around the throttle");
}

#[tokio::test]
async fn an_administrator_hands_over_a_token_that_is_good_once() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let (_, before) = session(&api, "ada@example.org").await;
    let resets = format!("{}/password-resets", path(&user));
    assert_eq!(before.post(&resets, &json!({})).await.refusal().0, 403);
    let one = api.admin.post(&resets, &json!({})).await;
    assert_eq!(one.status, 201, "{}", one.text);
    let (one, two) = (one.json(), api.admin.post(&resets, &json!({})).await.json());
    assert_eq!(confirm(&api, &one["token"], "passwordpassword").await.refusal().2, ["/password common_password"]);
    assert_eq!(confirm(&api, &one["token"], OTHER).await.status, 204);
    for used in [&one["token"], &two["token"], &json!("bnp_nonsense")] {
        assert_eq!(confirm(&api, used, OTHER).await.refusal().1, "reset_token_not_valid");
    }
    assert_eq!(before.get("/api/v1/users/me").await.refusal().0, 401);
    assert_eq!(log_in(&api, "ada@example.org", OTHER).await.status, 201);
    let three = api.admin.post(&resets, &json!({})).await.json();
    execute(&api, "update app.password_reset set expires_at = now()").await;
    assert_eq!(confirm(&api, &three["token"], PASSWORD).await.refusal().1, "reset_token_not_valid");
    assert_eq!(scalar::<i64>(&api, "select count(*) from app.audit where action = 'user.reset_password'").await, 3);
}

#[tokio::test]
async fn whoever_asks_learns_nothing_and_the_mail_gets_the_token() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let ask = async |email: &str| api.nobody().post("/api/v1/password-resets", &json!({ "email": email })).await;
    for email in ["ada@example.org", "ADA@example.org", "nobody@example.org"] {
        let answer = ask(email).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, ""), "{email}");
    }
    let events: Vec<Value> =
        sqlx::query_scalar("select payload from app.event where topic = 'mail' and kind = 'password_reset.requested'")
            .fetch_all(&api.pool)
            .await
            .unwrap();
    assert_eq!(events.len(), 1, "at most one a minute for an address: {events:?}");
    assert!(!events[0].to_string().contains("ada@"), "the address is not in the log of events");
    assert_eq!(confirm(&api, &events[0]["token"], OTHER).await.status, 204);
    assert_eq!(log_in(&api, "ada@example.org", OTHER).await.status, 201);
}

#[tokio::test]
async fn two_uses_of_one_token_at_once_are_one_use() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let made = api.admin.post(&format!("{}/password-resets", path(&user)), &json!({})).await.json();
    let (one, other) = tokio::join!(
        confirm(&api, &made["token"], OTHER),
        confirm(&api, &made["token"], "an otter juggles nine pebbles")
    );
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}
