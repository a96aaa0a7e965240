//! How a file arrives: in pieces, whole or not at all, within its bounds, and once.

use std::time::Duration;

use api::Limits;
use domain::imports::upload::PIECE_BYTES;
use reqwest::Method;
use tokio::io::AsyncWriteExt;

use super::kit::{CSV, answer, begin, count, send, until_count, work};
use crate::api::harness::Api;

const HEADER: &str = "sku,name,price,currency\n";
const PRODUCTS: &str = "/api/v1/imports?kind=products";

/// Rows of about 60 bytes, this many bytes at least.
fn rows(bytes: usize) -> String {
    let row = |n: usize| format!("S{n},A product with a name that is long enough {n},12.50,GBP\n");
    let mut text = HEADER.to_owned();
    (0..)
        .map(row)
        .take_while(|row| {
            text.push_str(row);
            text.len() < bytes
        })
        .for_each(drop);
    text
}

#[tokio::test]
async fn a_file_is_written_while_it_arrives_and_seen_when_it_is_here() {
    let api = Api::start().await;
    let file = rows(5 * PIECE_BYTES);
    let mut stream = begin(&api, PRODUCTS, &format!("content-length: {}", file.len())).await;
    let (first, rest) = file.as_bytes().split_at(3 * PIECE_BYTES + 10);
    stream.write_all(first).await.unwrap();
    // Whole pieces are in the database long before the file is complete: nobody holds them back.
    until_count(&api.pool, "app.import_chunk", |pieces| pieces == 3).await;
    assert_eq!(api.admin.get("/api/v1/imports").await.json()["items"].as_array().unwrap().len(), 0);
    assert_eq!(count(&api.pool, "queue.job where kind = 'products.import'").await, 0);
    stream.write_all(rest).await.unwrap();
    let answer = answer(stream).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    work(&api.pool).await;
    let created = file.lines().count() as i64 - 1;
    assert_eq!(count(&api.pool, "app.product").await, created);
    let sent: String = sqlx::query_scalar("select encode(sha256($1), 'hex')")
        .bind(file.as_bytes())
        .fetch_one(&api.pool)
        .await
        .unwrap();
    assert_eq!(api.admin.get("/api/v1/imports").await.json()["items"][0]["sha256"], sent);
}

#[tokio::test]
async fn an_upload_that_is_cut_leaves_nothing() {
    let api = Api::start().await;
    let file = rows(3 * PIECE_BYTES);
    let mut stream = begin(&api, PRODUCTS, &format!("content-length: {}", file.len())).await;
    stream.write_all(&file.as_bytes()[..2 * PIECE_BYTES + 5]).await.unwrap();
    until_count(&api.pool, "app.import_chunk", |pieces| pieces == 2).await;
    drop(stream);
    until_count(&api.pool, "app.import", |imports| imports == 0).await;
    assert_eq!(count(&api.pool, "app.import_chunk").await, 0);
    assert_eq!(count(&api.pool, "queue.job where kind = 'products.import'").await, 0);
}

#[tokio::test]
async fn a_file_that_is_too_long_is_refused_at_once_or_as_soon_as_it_is() {
    let api = Api::start().await;
    let answered = answer(begin(&api, PRODUCTS, "content-length: 104857601").await).await;
    assert!(answered.starts_with("HTTP/1.1 413"), "before a byte of it was sent: {answered}");
    let limits = Limits { upload_bytes_max: 2 * PIECE_BYTES as u64, ..Limits::default() };
    let api = Api::start_with(limits).await;
    let mut stream = begin(&api, PRODUCTS, "transfer-encoding: chunked").await;
    let file = rows(3 * PIECE_BYTES);
    for part in file.as_bytes().chunks(PIECE_BYTES / 2) {
        let head = format!("{:x}\r\n", part.len());
        let sent = [head.as_bytes(), part, b"\r\n"].concat();
        if stream.write_all(&sent).await.is_err() {
            break;
        }
    }
    let answered = answer(stream).await;
    assert!(answered.is_empty() || answered.starts_with("HTTP/1.1 413"), "{answered}");
    until_count(&api.pool, "app.import", |imports| imports == 0).await;
    assert_eq!(count(&api.pool, "queue.job where kind = 'products.import'").await, 0);
}

#[tokio::test]
async fn a_file_that_stops_arriving_is_given_up() {
    let short = Duration::from_millis(300);
    let api = Api::start_with(Limits { body_timeout: short, ..Limits::default() }).await;
    let mut stream = begin(&api, PRODUCTS, "content-length: 1000").await;
    stream.write_all(HEADER.as_bytes()).await.unwrap();
    let answered = answer(stream).await;
    assert!(answered.starts_with("HTTP/1.1 408"), "{answered}");
    assert_eq!(count(&api.pool, "app.import").await, 0);
}

#[tokio::test]
async fn what_is_no_file_of_the_kind_is_refused_before_it_is_saved() {
    let api = Api::start().await;
    let table = [
        ("kind=products", "application/json", "{}", 415, "unsupported_media_type"),
        ("kind=products", CSV, "", 422, "malformed_header"),
        ("kind=products", CSV, "sku,name\n1,One\n", 422, "malformed_header"),
        ("kind=products", CSV, "email,name\na@b.c,A\n", 422, "malformed_header"),
        ("kind=users", "application/x-ndjson", "", 422, "malformed_header"),
        ("kind=things", CSV, HEADER, 422, "validation_failed"),
        ("", CSV, HEADER, 422, "validation_failed"),
    ];
    for (query, media, file, status, code) in table {
        let answer = send(&api.admin, query, media, file).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.as_str()), (status, code), "{query} {media} {file}");
    }
    assert_eq!(count(&api.pool, "app.import").await, 0);
}

#[tokio::test]
async fn a_file_sent_again_under_its_key_is_imported_once() {
    let api = Api::start().await;
    let file = format!("{HEADER}1,One,1.00,GBP\n");
    let send = |query: &'static str, file: String| {
        let admin = api.admin.clone();
        async move {
            let headers = [("content-type", CSV), ("idempotency-key", "k-1")];
            admin.send(Method::POST, &format!("/api/v1/imports?{query}"), &headers, file.into_bytes()).await
        }
    };
    let answers = futures::future::join_all((0..8).map(|_| send("kind=products", file.clone()))).await;
    let replayed = answers.iter().filter(|answer| answer.header("idempotency-replayed") == Some("true")).count();
    assert_eq!(replayed, 7);
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.text == answers[0].text), "{answers:?}");
    let other = send("kind=products", format!("{file}2,Two,1.00,GBP\n")).await;
    assert_eq!(other.refusal().1, "idempotency_key_reused");
    assert_eq!(count(&api.pool, "app.import").await, 1, "what was sent again is gone");
    assert_eq!(count(&api.pool, "app.import_chunk").await, 1);
    assert_eq!(work(&api.pool).await.len(), 1);
}

#[tokio::test]
async fn nobody_has_more_than_ten_under_way() {
    let api = Api::start().await;
    let file = format!("{HEADER}1,One,1.00,GBP\n");
    for _ in 0..10 {
        assert_eq!(send(&api.admin, "kind=products", CSV, file.clone()).await.status, 202);
    }
    assert_eq!(send(&api.admin, "kind=products", CSV, file.clone()).await.refusal().1, "too_many_imports");
    let (_, other) = api.customer().await;
    assert_eq!(send(&other, "kind=products", CSV, file.clone()).await.status, 202);
    work(&api.pool).await;
    assert_eq!(send(&api.admin, "kind=products", CSV, file).await.status, 202);
}
