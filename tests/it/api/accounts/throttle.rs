//! Guessing passwords gets slower, whether or not there is a user to guess.

use serde_json::json;

use super::{PASSWORD, execute, log_in, scalar, with_password};
use crate::api::harness::Api;

const WRONG: &str = "incorrect horse battery";

#[tokio::test]
async fn wrong_passwords_lock_an_address_for_longer_and_longer_in_every_process() {
    let api = Api::start().await;
    let other = api.again().await;
    with_password(&api, "ada@example.org").await;
    for email in ["ada@example.org", "nobody@example.org"] {
        for _ in 0..5 {
            assert_eq!(log_in(&api, email, WRONG).await.refusal().1, "invalid_credentials");
        }
        let locked = log_in(&other, &email.to_uppercase(), PASSWORD).await;
        assert_eq!((locked.refusal().0, locked.refusal().1.as_str()), (429, "too_many_attempts"), "{email}");
        assert_eq!(locked.header("retry-after"), Some("1"));
    }
    let mut locks = Vec::new();
    for _ in 0..12 {
        execute(&api, "update app.login_throttle set locked_until = now(), failed_at = now()").await;
        assert_eq!(log_in(&api, "nobody@example.org", WRONG).await.status, 401);
        let seconds = "select round(extract(epoch from locked_until - failed_at))::integer
            from app.login_throttle where locked_until > now()";
        locks.push(scalar::<i32>(&api, seconds).await);
    }
    assert_eq!(locks, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
    execute(&api, "update app.login_throttle set locked_until = now() - interval '61 minutes', failed_at = now() - interval '61 minutes'").await;
    assert_eq!(log_in(&api, "nobody@example.org", WRONG).await.status, 401);
    assert_eq!(log_in(&api, "nobody@example.org", WRONG).await.status, 401, "an hour later it begins anew");
}

#[tokio::test]
async fn a_lock_does_not_last_as_long_as_the_clock_was_put_back() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    for _ in 0..5 {
        log_in(&api, "ada@example.org", WRONG).await;
    }
    execute(&api, "update app.login_throttle set locked_until = locked_until + interval '1 hour', failed_at = failed_at + interval '1 hour'").await;
    assert_eq!(log_in(&api, "ada@example.org", WRONG).await.status, 401, "it is looked at");
    let locked = log_in(&api, "ada@example.org", PASSWORD).await;
    assert_eq!((locked.status.as_u16(), locked.header("retry-after")), (429, Some("2")), "and counts as the next");
}

#[tokio::test]
async fn a_success_and_a_reset_free_the_address() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    for _ in 0..4 {
        log_in(&api, "ada@example.org", WRONG).await;
    }
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.status, 201);
    assert_eq!(scalar::<i64>(&api, "select count(*) from app.login_throttle").await, 0);
    for _ in 0..5 {
        log_in(&api, "ada@example.org", WRONG).await;
    }
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.refusal().0, 429);
    let made = api.admin.post(&format!("{}/password-resets", super::path(&user)), &json!({})).await.json();
    let confirm = json!({ "token": made["token"], "password": "a walrus plays the tuba at noon" });
    assert_eq!(api.nobody().post("/api/v1/password-resets/confirm", &confirm).await.status, 204);
    assert_eq!(log_in(&api, "ada@example.org", "a walrus plays the tuba at noon").await.status, 201);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_way_around_the_count() {
    let api = Api::start().await;
    with_password(&api, "ada@example.org").await;
    let guesses = (0..20).map(|_| log_in(&api, "ada@example.org", WRONG));
    let answers = futures::future::join_all(guesses).await;
    let checked = answers.iter().filter(|answer| answer.status == 401).count();
    assert!(checked <= 6, "{checked} guesses were checked");
}
