//! One delivery: what is posted, how it is signed, and how often it is tried.

use std::time::Duration;

use domain::webhooks::endpoints;
use domain::webhooks::secret::Secret;
use jobs::webhooks::{SCHEDULE, sign};
use queue::testing::{Outcome, advance};
use serde_json::{Value, json};
use sqlx::types::chrono::{DateTime, Utc};
use tests::receiver::{Received, Receiver, answer};

use super::kit::{Kit, facts};

/// Whether the request is signed by exactly these.
fn is_signed_by(request: &Received, secrets: &[Secret]) -> bool {
    let timestamp = request.header("webhook-timestamp").parse().unwrap();
    let expected = sign::signature(secrets, request.header("webhook-id"), timestamp, &request.body);
    request.header("webhook-signature") == expected
}

async fn now(kit: &Kit) -> DateTime<Utc> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(&kit.pool).await.unwrap()
}

#[tokio::test]
async fn an_event_is_posted_once_signed_and_in_the_form_of_the_standard() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let (endpoint, secret) = kit.endpoint(&user, &receiver, &[]).await;
    receiver.says(answer(200, "Content-Type: text/plain\r\n", "thank\0you"));
    kit.happen("wallet.opened", &[user.user_id]).await;
    let ran = kit.deliver().await;
    assert_eq!(ran[0].outcome, Outcome::Succeeded(Some(json!({ "status": 200 }))), "{ran:?}");

    let request = receiver.next().await;
    assert_eq!(request.line, "POST /hooks?from=test HTTP/1.1");
    assert_eq!(request.header("host"), receiver.address.to_string());
    assert_eq!(request.header("content-type"), "application/json");
    assert!(request.header("user-agent").starts_with("bitnexus-webhooks/"));
    assert!(is_signed_by(&request, &[secret]), "{request:?}");
    let sent: i64 = request.header("webhook-timestamp").parse().unwrap();
    assert!((now(&kit).await.timestamp() - sent).abs() < 60);
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((body["type"].as_str(), &body["data"]), (Some("wallet.opened"), &facts("wallet.opened")));
    assert!(DateTime::parse_from_rfc3339(body["timestamp"].as_str().unwrap()).is_ok());

    let deliveries = kit.deliveries(&user, &endpoint).await;
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!((delivery.status.as_str(), delivery.attempts, delivery.last_status), ("delivered", 1, Some(200)));
    assert_eq!(delivery.event_id, request.header("webhook-id"));
    let attempts = kit.attempts(delivery.id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].error.as_deref(), attempts[0].response.as_deref()), (None, Some("thank\u{fffd}you")));
    // Neither the log nor the job says it again.
    assert!(kit.deliver().await.is_empty() && receiver.unseen().is_empty());
}

#[tokio::test]
async fn what_fails_is_tried_ten_times_by_the_standards_schedule_under_one_id() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let (endpoint, _) = kit.endpoint(&user, &receiver, &[]).await;
    receiver.says(answer(500, "", "no"));
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.dispatch().await;
    let mut ids = Vec::new();
    for delay in SCHEDULE {
        let before = now(&kit).await;
        let ran = kit.run().await;
        let [Outcome::Retried { error, due }] = [ran[0].outcome.clone()] else { panic!("{ran:?}") };
        assert_eq!(error, "the endpoint answered 500");
        let waits = (due - before).to_std().unwrap();
        assert!(waits >= delay && waits < delay.mul_f64(1.1) + Duration::from_secs(30), "{waits:?} and not {delay:?}");
        let delivery = &kit.deliveries(&user, &endpoint).await[0];
        assert_eq!((delivery.status.as_str(), delivery.last_status), ("pending", Some(500)));
        assert!((delivery.next_attempt_at.unwrap() - due).abs().num_seconds() < 30);
        ids.push((receiver.next().await.header("webhook-id").to_owned(), ran[0].attempt));
        advance(&kit.pool, delay.mul_f64(1.1) + Duration::from_secs(1)).await;
    }
    let ran = kit.run().await;
    assert_eq!(ran[0].outcome, Outcome::Discarded("the endpoint answered 500".to_owned()));
    ids.push((receiver.next().await.header("webhook-id").to_owned(), ran[0].attempt));
    let delivery = &kit.deliveries(&user, &endpoint).await[0];
    assert_eq!((delivery.status.as_str(), delivery.attempts, delivery.next_attempt_at), ("failed", 10, None));
    assert!(ids.iter().zip(1..).all(|((id, attempt), expected)| *id == delivery.event_id && *attempt == expected));
    assert_eq!(kit.attempts(delivery.id).await.len(), 10);
    advance(&kit.pool, Duration::from_secs(30 * 86_400)).await;
    assert!(kit.run().await.is_empty() && receiver.unseen().is_empty(), "that was the last time");
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let (endpoint, old) = kit.endpoint(&user, &receiver, &[]).await;
    let rotated = endpoints::rotate(&mut kit.pool.acquire().await.unwrap(), &user, endpoint.id).await;
    let (shown, new) = rotated.unwrap();
    let day = shown.old_secret_until.unwrap() - now(&kit).await;
    assert!(day.num_minutes() > 23 * 60 && day.num_hours() <= 24, "{day}");
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.deliver().await;
    assert!(is_signed_by(&receiver.next().await, &[new.clone(), old]));
    kit.execute("update app.webhook_endpoint set old_secret_until = now()").await;
    kit.happen("wallet.opened", &[user.user_id]).await;
    kit.deliver().await;
    assert!(is_signed_by(&receiver.next().await, &[new]));
    assert_eq!(kit.now(&user, &endpoint).await.old_secret_until, None);
    // Nobody else is shown a secret, whatever the role.
    assert!(endpoints::rotate(&mut kit.pool.acquire().await.unwrap(), &kit.admin, endpoint.id).await.is_err());
}

#[tokio::test]
async fn of_an_answer_the_beginning_is_kept_and_of_silence_that_there_was_none() {
    let kit = Kit::start().await;
    let (user, mut receiver) = (kit.user().await, Receiver::start().await);
    let (endpoint, _) = kit.endpoint(&user, &receiver, &[]).await;
    for said in [answer(400, "", &"long ".repeat(1_000_000)), None, Some("what?\r\n\r\n".to_owned())] {
        receiver.says(said);
        kit.happen("wallet.opened", &[user.user_id]).await;
        kit.deliver().await;
        receiver.next().await;
    }
    let mut told = Vec::new();
    for delivery in kit.deliveries(&user, &endpoint).await {
        let attempt = kit.attempts(delivery.id).await.remove(0);
        told.push((attempt.status, attempt.response.map(|text| text.len()), attempt.error.unwrap()));
    }
    assert_eq!(told[0], (Some(400), Some(4_096), "the endpoint answered 400".to_owned()));
    assert_eq!(told[1], (None, None, "there was no answer in time".to_owned()));
    assert!(told[2].2.starts_with("there was no proper answer: "), "{told:?}");
}
