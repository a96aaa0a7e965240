//! Who may follow what (invariant I11).

use reqwest::StatusCode;
use tests::wait::until_async;
use uuid::Uuid;

use super::kit::{EVENTS, begun, name, open, token, write};
use crate::api::harness::Api;

#[tokio::test]
async fn a_user_follows_what_is_theirs_and_staff_all_but_secrets() {
    let api = Api::start().await;
    let ((ada, _), (bob, _)) = (api.customer().await, api.customer().await);
    let (ada_topic, bob_topic) = (format!("user:{}", ada.principal.user_id), format!("user:{}", bob.principal.user_id));
    let (ada_token, admin_token) = (token(&api, &ada.principal).await, token(&api, &api.principal).await);
    for (topic, status, code) in [
        (bob_topic.as_str(), 404, "not_found"),
        (&*format!("transactions:{}", Uuid::now_v7()), 404, "not_found"),
        (&*format!("jobs:{}", Uuid::now_v7()), 404, "not_found"),
        ("ledger", 403, "forbidden"),
        ("mail", 422, "unknown_topic"),
        ("users:1", 422, "unknown_topic"),
        (&*ada_topic.to_uppercase().replace("USER", "user"), 422, "unknown_topic"),
    ] {
        let refused = open(&api, &ada_token, &format!("?topic={topic}"), None).await.unwrap_err();
        assert_eq!(refused.0.as_u16(), status, "{topic}: {}", refused.1);
        assert!(refused.1.contains(code), "{topic}: {}", refused.1);
    }
    assert_eq!(open(&api, "bnx_live_nothing", "", None).await.unwrap_err().0, StatusCode::UNAUTHORIZED);
    let mut own = begun(&api, &ada_token, "").await;
    let mut all = begun(&api, &admin_token, "").await;
    let mut some = begun(&api, &admin_token, &format!("?topic={bob_topic},ledger&kind=test.written")).await;
    write(&api.pool, &["mail"], ["secret".to_owned()]).await;
    write(&api.pool, &[&bob_topic], ["bob's".to_owned()]).await;
    write(&api.pool, &[&ada_topic, &bob_topic], ["both's".to_owned()]).await;
    write(&api.pool, &["ledger"], ["the ledger's".to_owned()]).await;
    write(&api.pool, &[&ada_topic], ["ada's".to_owned()]).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(name(&all.next().await.unwrap()));
    }
    assert_eq!(told, ["bob's", "both's", "the ledger's", "ada's"]);
    assert_eq!([name(&own.next().await.unwrap()), name(&own.next().await.unwrap())], ["both's", "ada's"]);
    let told =
        [name(&some.next().await.unwrap()), name(&some.next().await.unwrap()), name(&some.next().await.unwrap())];
    assert_eq!(told, ["bob's", "both's", "the ledger's"]);
    // A replay tells the same.
    let from = "0-0";
    let answer = api.admin.get(&format!("{EVENTS}?wait=0&kind=test.written&last_event_id={from}")).await;
    assert!(answer.text.contains("bob's") && !answer.text.contains("secret"), "{}", answer.text);
}

/// The right to listen is asked for again while a stream is open.
#[tokio::test]
async fn a_stream_ends_with_the_right_to_it() {
    let api = Api::start().await;
    let (ada, _) = api.customer().await;
    let token = token(&api, &ada.principal).await;
    let mut stream = begun(&api, &token, "").await;
    sqlx::query("update app.api_key set revoked_at = now() where user_id = $1")
        .bind(ada.principal.user_id.0)
        .execute(&api.pool)
        .await
        .unwrap();
    sqlx::query("select pg_notify($1, $2)")
        .bind(domain::access::REVOKED_CHANNEL)
        .bind(ada.principal.user_id.to_string())
        .execute(&api.pool)
        .await
        .unwrap();
    assert_eq!(stream.next().await, None);
    until_async("the token to be refused", std::time::Duration::from_secs(30), async || {
        open(&api, &token, "", None).await.err()
    })
    .await;
}

#[tokio::test]
async fn an_id_that_cannot_be_gone_on_from_is_refused() {
    let api = Api::start().await;
    let token = token(&api, &api.principal).await;
    for number in 0..3 {
        write(&api.pool, &["ledger"], [number.to_string()]).await;
    }
    let mut stream = begun(&api, &token, "?topic=ledger").await;
    let last = stream.last_id.split_once('-').unwrap().0.parse::<i64>().unwrap();
    write(&api.pool, &["ledger"], ["next".to_owned()]).await;
    assert_eq!(name(&stream.next().await.unwrap()), "next");
    let future = open(&api, &token, "", Some(&format!("{}-1", last + 1_000))).await.unwrap_err();
    assert_eq!((future.0.as_u16(), future.1.contains("events_gone")), (410, true));
    sqlx::query("delete from app.event_number where seq < $1").bind(last).execute(&api.pool).await.unwrap();
    let gone = open(&api, &token, "", Some("1-1")).await.unwrap_err();
    assert_eq!((gone.0.as_u16(), gone.1.contains("events_gone")), (410, true));
    assert!(open(&api, &token, "", Some(&format!("{last}-1"))).await.is_ok());
    for wrong in ["1", "x-1", "-1-1", "1-1-1"] {
        let refused = open(&api, &token, "", Some(wrong)).await.unwrap_err();
        assert_eq!(refused.0.as_u16(), 422, "{wrong}: {}", refused.1);
    }
}
