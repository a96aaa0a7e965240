//! I11: a caller joins only what is theirs; what was theirs no more is closed.

use domain::access::keys::{self, NewKey};
use domain::access::scope::Scope;
use domain::{Principal, Role};
use ledger::Book;
use serde_json::json;
use uuid::Uuid;

use super::kit::Api;

async fn operator(api: &Api) -> Principal {
    let person = api.customer().await.principal;
    sqlx::query("update app.account_user set role = 'operator' where id = $1")
        .bind(person.user_id.0)
        .execute(&api.pool)
        .await
        .unwrap();
    Principal::of(person.user_id, Role::Operator, Book::MAIN)
}

/// A transaction that Ada asked for, and her job of that id.
async fn transaction(api: &Api) -> (Principal, Uuid) {
    let (ada, eve) = (api.customer().await, api.customer().await);
    let token = api.token(&ada.principal).await;
    let body = json!({"type": "transfer", "from": ada.wallet.0, "to": eve.wallet.0, "amount": {"amount": "0.01", "currency": "GBP"}});
    let request = reqwest::Client::new().post(format!("http://{}/api/v1/transactions", api.address));
    let answer = request.bearer_auth(token).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let answer: serde_json::Value = answer.json().await.unwrap();
    (ada.principal, answer["id"].as_str().unwrap().parse().unwrap())
}

#[tokio::test]
async fn a_caller_joins_only_what_is_theirs() {
    let api = Api::start().await;
    let (ada, transaction) = transaction(&api).await;
    let (bob, operator) = (api.customer().await.principal, operator(&api).await);
    let own = ada.user_id;
    let rows = [
        // topic, Ada, Bob, staff
        (format!("user:{own}"), true, false, true),
        (format!("transactions:{own}"), true, false, true),
        (format!("transactions:{transaction}"), true, false, true),
        (format!("jobs:{transaction}"), true, false, true),
        ("ledger".to_owned(), false, false, true),
        ("room:lobby".to_owned(), true, true, true),
        (format!("user:{}", own.to_string().to_uppercase()), false, false, false),
        (format!("user:{own} "), false, false, false),
        (format!("transactions:{}", Uuid::now_v7()), false, false, true),
        (format!("jobs:{}", Uuid::now_v7()), false, false, false),
        ("user:*".to_owned(), false, false, false),
    ];
    for (who, column) in [(ada, 0), (bob, 1), (operator, 2), (api.admin, 2)] {
        let mut client = api.client(&who).await;
        for (topic, for_ada, for_bob, for_staff) in &rows {
            let wanted = [*for_ada, *for_bob, *for_staff][column];
            let (status, response) = client.join(topic, json!({})).await;
            assert_eq!(status == "ok", wanted, "{topic} for {who:?}: {response}");
            assert!(wanted || response == json!({"reason": "unauthorized"}), "{topic}: {response}");
        }
    }
}

#[tokio::test]
async fn a_key_of_few_scopes_joins_few_topics() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let mut conn = api.pool.acquire().await.unwrap();
    let new = NewKey { name: "few".to_owned(), scopes: Some(vec![Scope::TransactionsRead]), expires_at: None };
    let (_, key) = keys::issue(&mut conn, &ada, &new).await.unwrap();
    let query = format!("token={}&vsn=2.0.0", key.reveal());
    let mut client = api.connect(&query, &[]).await.unwrap();
    assert_eq!(client.join(&format!("transactions:{}", ada.user_id), json!({})).await.0, "ok");
    assert_eq!(client.join(&format!("user:{}", ada.user_id), json!({})).await.0, "error");
}

#[tokio::test]
async fn what_was_theirs_no_more_is_closed() {
    let api = Api::start().await;
    let [ada, bob] = [api.customer().await.principal, api.customer().await.principal];
    let (mut first, mut second, mut other) = (api.client(&ada).await, api.client(&ada).await, api.client(&bob).await);
    for client in [&mut first, &mut second] {
        client.joined(&format!("user:{}", ada.user_id)).await;
    }
    let gone = (1001, "the token is no longer good for this".to_owned());
    // One of her keys is revoked: its client goes, the other one stays.
    let mut conn = api.pool.acquire().await.unwrap();
    let newest = "select id from app.api_key where user_id = $1 order by id limit 1";
    let key: Uuid = sqlx::query_scalar(newest).bind(ada.user_id.0).fetch_one(&mut *conn).await.unwrap();
    keys::revoke(&mut conn, &api.admin, key).await.unwrap();
    assert_eq!(first.closed().await, gone);
    second.send(json!([null, "1", "phoenix", "heartbeat", {}])).await;
    assert_eq!(second.next().await[3], "phx_reply");
    // She is suspended.
    let suspend = "update app.account_user set status = 'suspended' where id = $1";
    sqlx::query(suspend).bind(ada.user_id.0).execute(&mut *conn).await.unwrap();
    domain::access::revoked(&mut conn, ada.user_id).await.unwrap();
    assert_eq!(second.closed().await, gone);
    other.send(json!([null, "1", "phoenix", "heartbeat", {}])).await;
    assert_eq!(other.next().await[3], "phx_reply");
}
