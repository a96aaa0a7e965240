//! Below the operations: routes, methods, media types, headers, connections.

use std::time::Duration;

use api::Limits;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::harness::Api;

#[tokio::test]
async fn routing_answers_with_problems() {
    let api = Api::start().await;
    for path in ["/nothing", "/api/v1/nothing", "/api/v2/users", "/api/v1/users/"] {
        assert_eq!(api.admin.get(path).await.refusal(), (404, "no_such_route".to_owned(), vec![]), "{path}");
    }
    let rows = [
        (Method::DELETE, "/api/v1/users", "GET, POST, HEAD"),
        (Method::PUT, "/api/v1/transactions/batch", "POST"),
        (Method::POST, "/api/v1/accounts/0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00", "GET, HEAD"),
        // Not the product of that id, which could be changed.
        (Method::PATCH, "/api/v1/products/search?q=x", "GET, HEAD"),
        (Method::POST, "/livez", "GET, HEAD"),
        (Method::POST, "/openapi.json", "GET, HEAD"),
    ];
    for (method, path, allow) in rows {
        let answer = api.admin.send(method, path, &[], Vec::new()).await;
        assert_eq!(
            (answer.refusal().1.as_str(), answer.header("allow")),
            ("method_not_allowed", Some(allow)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn media_types_are_negotiated() {
    let api = Api::start().await;
    let body = json!({}).to_string().into_bytes();
    for wrong in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""] {
        let answer = api.admin.send(Method::POST, "/api/v1/products", &[("content-type", wrong)], body.clone()).await;
        assert_eq!(answer.refusal().0, 415, "{wrong}");
    }
    let html = api.admin.send(Method::GET, "/api/v1/users", &[("accept", "text/html")], Vec::new()).await;
    assert_eq!(html.refusal().0, 406);
    let utf8 = [("content-type", "application/json; charset=UTF-8")];
    assert_eq!(api.admin.send(Method::POST, "/api/v1/products", &utf8, body).await.refusal().0, 422);
}

#[tokio::test]
async fn every_answer_says_which_request_it_is_for() {
    let api = Api::start().await;
    let chosen = api.admin.send(Method::GET, "/api/v1/users", &[("x-request-id", "checkout-17")], Vec::new()).await;
    assert_eq!(chosen.header("x-request-id"), Some("checkout-17"));
    assert_eq!(chosen.header("cache-control"), Some("no-store"));
    assert_eq!(api.admin.post("/api/v1/transactions", &json!({})).await.header("vary"), Some("Prefer"));
    let refused = api.admin.send(Method::GET, "/nothing", &[("x-request-id", "not plain")], Vec::new()).await;
    assert_ne!(refused.header("x-request-id"), Some("not plain"));
}

#[tokio::test]
async fn a_resource_that_has_not_changed_is_not_sent_again() {
    let api = Api::start().await;
    let path = format!("/api/v1/users/{}", api.principal.user_id);
    let first = api.admin.get(&path).await;
    let tag = first.header("etag").unwrap();
    let again = api.admin.send(Method::GET, &path, &[("if-none-match", tag)], Vec::new()).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    let other = api.admin.send(Method::GET, &path, &[("if-none-match", "\"other\"")], Vec::new()).await;
    assert_eq!(other.status, 200);
}

#[tokio::test]
async fn probes_answer() {
    let api = Api::start().await;
    assert_eq!(api.nobody().get("/livez").await.status, 200);
    assert_eq!(api.nobody().get("/readyz").await.status, 200);
    api.pool.close().await;
    assert_eq!(api.nobody().get("/livez").await.status, 200, "alive does not mean ready");
    let ready = api.nobody().get("/readyz").await;
    assert_eq!((ready.refusal().1.as_str(), ready.header("retry-after")), ("database_unavailable", Some("1")));
    let users = api.admin.get("/api/v1/users").await;
    assert_eq!((users.refusal().0, users.header("retry-after")), (503, Some("1")));
}

#[tokio::test]
async fn a_client_that_never_ends_its_header_or_body_is_let_go() {
    let short = Duration::from_millis(200);
    let api = Api::start_with(Limits { header_timeout: short, body_timeout: short, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(api.address).await.unwrap();
    silent.write_all(b"GET /livez HT").await.unwrap();
    let mut answer = Vec::new();
    silent.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));

    let mut slow = TcpStream::connect(api.address).await.unwrap();
    let head = b"POST /api/v1/sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    slow.write_all(head).await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let api = Api::start().await;
    let path = format!("/api/v1/users/{}", api.principal.user_id);
    let (head, get) = (api.admin.send(Method::HEAD, &path, &[], Vec::new()).await, api.admin.get(&path).await);
    assert_eq!((head.status, head.header("etag"), head.text.as_str()), (get.status, get.header("etag"), ""));
}

#[tokio::test]
async fn what_is_in_flight_ends_before_the_server_does() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let amount = json!({ "amount": "1", "currency": "GBP" });
    let body = json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": amount });
    let in_flight = caller.clone();
    let held = tokio::spawn(async move {
        let headers = [("content-type", "application/json"), ("prefer", "wait=1")];
        in_flight.send(Method::POST, "/api/v1/transactions", &headers, body.to_string().into_bytes()).await
    });
    while caller.get("/api/v1/transactions").await.json()["items"][0].is_null() {}
    let address = api.address;
    let stopped = api.stop();
    assert_eq!(held.await.unwrap().status, 202);
    stopped.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
