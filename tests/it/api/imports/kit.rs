//! Sending a file and having its job run.

use std::time::{Duration, Instant};

use domain::access::keys;
use jobs::{ACCOUNTS_QUEUE, PRODUCTS_QUEUE, State};
use ledger::keys::SigningKey;
use queue::Registry;
use queue::testing::{Outcome, Ran, drain};
use reqwest::Method;
use serde_json::Value;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::api::harness::{Answer, Api, Caller};

pub(super) const CSV: &str = "text/csv";
pub(super) const JSON_LINES: &str = "application/x-ndjson";

pub(super) fn registry() -> Registry {
    jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()))
}

/// Sends a file; `query` is such as `kind=products`.
pub(super) async fn send(who: &Caller, query: &str, media: &str, file: impl Into<Vec<u8>>) -> Answer {
    who.send(Method::POST, &format!("/api/v1/imports?{query}"), &[("content-type", media)], file.into()).await
}

/// Runs what there is to do in both queues.
pub(super) async fn work(pool: &PgPool) -> Vec<Ran> {
    let registry = registry();
    let mut ran = drain(pool, &registry, PRODUCTS_QUEUE).await;
    ran.extend(drain(pool, &registry, ACCOUNTS_QUEUE).await);
    for one in &ran {
        assert!(matches!(one.outcome, Outcome::Succeeded(_)), "{one:?}");
    }
    ran
}

/// Sends a file, has its job run, and returns the import.
pub(super) async fn import(api: &Api, who: &Caller, query: &str, media: &str, file: impl Into<Vec<u8>>) -> Value {
    let accepted = send(who, query, media, file).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let id = accepted.json()["job_id"].as_str().unwrap().to_owned();
    assert_eq!(accepted.header("location"), Some(format!("/api/v1/jobs/{id}").as_str()));
    work(&api.pool).await;
    let found = who.get(&format!("/api/v1/imports/{id}")).await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.json()
}

/// The counts of an import: rows, created, existing, refused.
pub(super) fn counts(import: &Value) -> [i64; 4] {
    ["rows", "created", "existing", "refused"].map(|name| import[name].as_i64().unwrap())
}

/// The errors of an import as `line field code`.
pub(super) async fn errors(who: &Caller, import: &Value) -> Vec<String> {
    let page = who.get(&format!("/api/v1/imports/{}/errors?limit=200", import["id"].as_str().unwrap())).await.json();
    let one = |error: &Value| {
        let (field, code) = (error["field"].as_str().unwrap_or("-"), error["code"].as_str().unwrap());
        format!("{} {field} {code}", error["line"])
    };
    page["items"].as_array().unwrap().iter().map(one).collect()
}

pub(super) async fn count(pool: &PgPool, of: &str) -> i64 {
    let statement = format!("select count(*) from {of}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(pool).await.unwrap()
}

/// Opens a connection and sends the head of an upload of a CSV.
pub(super) async fn begin(api: &Api, path: &str, length: &str) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let mut conn = api.pool.acquire().await.unwrap();
    let key = keys::create(&mut conn, 0, api.principal.user_id, "test").await.unwrap();
    let key = key.reveal();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n\
         connection: close\r\ncontent-type: text/csv\r\n{length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// What is answered on that connection; nothing if it was closed first.
pub(super) async fn answer(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A server that has answered may close while we still send.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

/// Waits until there are as many as wanted.
pub(super) async fn until_count(pool: &PgPool, of: &str, wanted: impl Fn(i64) -> bool) {
    let began = Instant::now();
    loop {
        let counted = count(pool, of).await;
        if wanted(counted) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{of} has {counted}");
    }
}
