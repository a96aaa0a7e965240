//! Too many requests, a database that is too slow, pages of other origins, TLS: what the API does to stay answerable.

use std::time::{Duration, Instant};

use api::{Limits, RateLimit, Rates, Tls};
use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tests::certificate;
use tests::proxy::{Held, Proxy};
use tests::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::harness::{Answer, Api};

/// How long what must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Only these limits.
pub(super) fn rates(change: impl FnOnce(&mut Rates)) -> Limits {
    let mut rates = Rates {
        user: RateLimit::OFF,
        writes: RateLimit::OFF,
        staff: RateLimit::OFF,
        address: RateLimit::OFF,
        login: RateLimit::OFF,
    };
    change(&mut rates);
    Limits { rates, ..Limits::default() }
}

fn an_hour(quota: &str) -> RateLimit {
    format!("{quota}/h").parse().unwrap()
}

fn is_too_many(answer: &Answer, policy: &str) {
    assert_eq!(answer.refusal().1, "rate_limited", "{}", answer.text);
    assert_eq!(answer.json()["violated_policies"], json!([policy]));
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"{policy}\";r=0;t=")));
}

#[tokio::test]
async fn a_user_has_so_many_requests_and_is_told_how_many_are_left() {
    let api = Api::start_with(rates(|rates| (rates.user, rates.writes) = (an_hour("4"), an_hour("2")))).await;
    let ((_, ada), (_, bob)) = (api.customer().await, api.customer().await);
    let first = ada.get("/api/v1/users").await;
    assert_eq!(first.header("ratelimit-policy"), Some("\"default\";q=4;w=3600"));
    assert!(first.header("ratelimit").unwrap().starts_with("\"default\";r=3;t="), "{:?}", first.headers);
    let write = ada.post("/api/v1/products", &json!({})).await;
    assert_eq!(write.refusal().0, 422);
    assert_eq!(write.header("ratelimit-policy"), Some("\"default\";q=4;w=3600, \"writes\";q=2;w=3600"));
    assert_eq!(ada.post("/api/v1/products", &json!({})).await.status, 422);
    is_too_many(&ada.post("/api/v1/products", &json!({})).await, "writes");
    is_too_many(&ada.get("/api/v1/users").await, "default");
    assert_eq!(bob.get("/api/v1/users").await.status, 200, "it is nobody else's trouble");
    let staff = api.admin.get("/api/v1/users").await;
    assert_eq!((staff.status.as_u16(), staff.header("ratelimit")), (200, None));
    assert_eq!(ada.get("/livez").await.status, 200);
}

#[tokio::test]
async fn an_address_without_a_token_has_so_many_and_guessing_tokens_counts() {
    let limits = rates(|rates| (rates.address, rates.login) = (an_hour("6"), an_hour("2")));
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let api = Api::start_with(Limits { proxies, ..limits }).await;
    let login = json!({ "email": "nobody@example.org", "password": "correct horse battery staple" }).to_string();
    let attempt = |from: &'static str| {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", from)];
        let (caller, login) = (api.nobody(), login.clone());
        async move { caller.send(Method::POST, "/api/v1/sessions", &headers, login.into_bytes()).await }
    };
    assert_eq!([attempt("192.0.2.1").await.status, attempt("192.0.2.1").await.status], [401, 401]);
    is_too_many(&attempt("192.0.2.1").await, "login");
    assert_eq!(attempt("192.0.2.2").await.status, 401, "another address");
    let guess = |from: &'static str| {
        let caller = api.bearer("nonsense");
        async move { caller.send(Method::GET, "/api/v1/users", &[("x-forwarded-for", from)], Vec::new()).await }
    };
    for _ in 0..6 {
        assert_eq!(guess("192.0.2.3").await.status, 401);
    }
    is_too_many(&guess("192.0.2.3").await, "address");
    let known = api.admin.send(Method::GET, "/api/v1/users", &[("x-forwarded-for", "192.0.2.4")], Vec::new()).await;
    assert_eq!(
        (known.status.as_u16(), known.header("ratelimit")),
        (200, None),
        "who is known is not counted by address"
    );
}

/// A database behind a proxy, migrated, and a pool that goes through the proxy.
async fn behind_a_proxy() -> (Server, Proxy, PgPool) {
    let server = Server::start(&["fsync=off"]);
    let direct = PgPool::connect(&server.url("postgres")).await.unwrap();
    cli::migrations::migrate(&direct).await.unwrap();
    direct.close().await;
    let proxy = Proxy::start(server.folder());
    let pool = queue::pool_options().max_connections(4).acquire_timeout(Duration::from_secs(3));
    let pool = pool.connect(&server.url_through(proxy.folder(), "postgres")).await.unwrap();
    (server, proxy, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_stands_still_every_request_is_answered_in_time_and_then_it_goes_on() {
    let (_server, proxy, pool) = behind_a_proxy().await;
    let limits = Limits {
        database_wait_max: Duration::from_millis(200),
        request_timeout: Duration::from_secs(3),
        ..rates(|_| {})
    };
    let api = Api::start_on(pool, None, limits).await;
    let path = format!("/api/v1/users/{}", api.principal.user_id);
    assert_eq!(api.admin.get(&path).await.status, 200);

    proxy.hold(Held { up: true, down: true });
    let slow = Instant::now();
    let caught = join_all((0..20).map(|_| api.admin.get(&path))).await;
    assert!(slow.elapsed() < Duration::from_secs(6), "those in flight end within their time: {:?}", slow.elapsed());
    assert!(caught.iter().all(|answer| answer.status == 503 && answer.header("retry-after").is_some()));
    let quick = Instant::now();
    for answer in join_all((0..200).map(|_| api.admin.get(&path))).await {
        assert_eq!((answer.refusal().1.as_str(), answer.header("retry-after")), ("overloaded", Some("1")));
    }
    assert!(quick.elapsed() < Duration::from_secs(2), "those that come then do not wait: {:?}", quick.elapsed());
    assert_eq!(api.nobody().get("/livez").await.status, 200);
    assert_eq!(api.nobody().get("/readyz").await.refusal().0, 503);
    assert_eq!(api.nobody().get("/docs").await.status, 200);

    proxy.hold(Held::default());
    let released = Instant::now();
    while api.admin.get(&path).await.status != 200 {
        assert!(released.elapsed() < PATIENCE, "it does not go on");
    }
}

/// Those that share a statement or a commit do not wait for its answer for ever, however long a request may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_or_a_commit_that_gets_no_answer_is_given_up() {
    let api = Api::start_with(Limits { request_timeout: Duration::from_secs(60), ..rates(|_| {}) }).await;
    let path = format!("/api/v1/transactions/{}", Uuid::now_v7());
    let nobodys = json!({
        "type": "transfer", "from": Uuid::now_v7(), "to": Uuid::now_v7(), "reference": "r",
        "amount": {"amount": "1.00", "currency": "GBP"}
    });
    let ask = || futures::future::join(api.admin.get(&path), api.admin.post("/api/v1/transactions", &nobodys));
    let assert_answered = |(read, saved): (Answer, Answer)| {
        assert_eq!((read.status.as_u16(), saved.status.as_u16()), (404, 422), "{}", saved.text);
    };
    assert_answered(ask().await);
    let mut blocking = api.pool.begin().await.unwrap();
    sqlx::query("lock table app.transaction in access exclusive mode").execute(&mut *blocking).await.unwrap();
    let began = Instant::now();
    for (read, saved) in join_all((0..10).map(|_| ask())).await {
        assert!(read.status == 503 && read.header("retry-after").is_some());
        assert!(saved.status == 503 && saved.header("retry-after").is_some(), "{}", saved.text);
    }
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    blocking.rollback().await.unwrap();
    assert_answered(ask().await);
}

#[tokio::test]
async fn only_so_many_requests_are_in_flight() {
    let api = Api::start_with(Limits { in_flight_max: 0, ..rates(|_| {}) }).await;
    assert_eq!(api.admin.get("/api/v1/users").await.refusal().1, "overloaded");
    assert_eq!(api.nobody().get("/openapi.json").await.status, 200);
}

#[tokio::test]
async fn pages_of_listed_origins_may_call_and_others_may_not() {
    let origins = vec!["https://app.example.org".parse().unwrap()];
    let api = Api::start_with(Limits { origins, ..rates(|_| {}) }).await;
    let asked = |origin: &'static str, path: &'static str| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let caller = api.nobody();
        async move { caller.send(Method::OPTIONS, path, &headers, Vec::new()).await }
    };
    let listed = asked("https://app.example.org", "/api/v1/users").await;
    assert_eq!(listed.status, 204);
    assert_eq!(listed.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(listed.header("access-control-allow-methods"), Some("GET, POST, HEAD"));
    assert!(listed.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert_eq!((listed.header("access-control-allow-credentials"), listed.header("vary")), (None, Some("Origin")));
    let other = asked("https://evil.example", "/api/v1/users").await;
    assert_eq!((other.header("access-control-allow-origin"), other.header("vary")), (None, Some("Origin")));
    assert_eq!(asked("https://app.example.org", "/nothing").await.refusal().0, 404);
    let origin = [("origin", "https://app.example.org")];
    let read = api.admin.send(Method::GET, "/api/v1/users", &origin, Vec::new()).await;
    assert_eq!(read.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert!(read.header("access-control-expose-headers").unwrap().contains("etag"));
    let refused = api.nobody().send(Method::GET, "/api/v1/users", &origin, Vec::new()).await;
    assert_eq!(
        refused.header("access-control-allow-origin"),
        Some("https://app.example.org"),
        "errors can be read too"
    );
    let closed = Api::start().await;
    let headers = [("origin", "https://app.example.org"), ("access-control-request-method", "POST")];
    let answer = closed.nobody().send(Method::OPTIONS, "/api/v1/users", &headers, Vec::new()).await;
    assert_eq!((answer.refusal().0, answer.header("access-control-allow-origin")), (405, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_it_speaks_tls_and_takes_a_new_one_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    if !certificate::make(folder.path(), "first") {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let (chain, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let wrong = Tls::load(&key, &key).err().unwrap();
    assert!(wrong.contains("key.pem"), "{wrong}");
    let address = Api::start_with_tls(Tls::load(&chain, &key).unwrap()).await;
    let seen = certificate::ask(&address.to_string()).await;
    assert!(seen.contains("CN = first") || seen.contains("CN=first"), "{seen}");
    assert!(seen.contains("HTTP/1.1 200 OK") && seen.contains("strict-transport-security: max-age="), "{seen}");
    assert!(seen.contains("ALPN protocol: http/1.1"), "{seen}");
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/"), "plain HTTP is not answered");
    assert!(certificate::make(folder.path(), "second"));
    let replaced = Instant::now();
    while !certificate::ask(&address.to_string()).await.replace("CN = ", "CN=").contains("CN=second") {
        assert!(replaced.elapsed() < PATIENCE, "the new certificate is not taken");
    }
}
