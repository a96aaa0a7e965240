//! A worker that is killed in the middle of a file: no row is lost and none is done twice.

use std::time::Duration;

use queue::control::{Control, Select};
use serde_json::json;
use sqlx::PgPool;
use tests::wait::until_async;
use uuid::Uuid;

use super::kit::{CSV, count, counts, send};
use crate::api::harness::Api;
use crate::api::worker::Worker;

const PATIENCE: Duration = Duration::from_secs(120);

/// A file whose every 50th row repeats the one before and whose every 70th is wrong.
fn file(rows: usize) -> (String, [i64; 4]) {
    let (mut text, mut counts) = ("sku,name,price,currency\n".to_owned(), [0; 4]);
    for row in 1..=rows {
        let (sku, price, place) = match row {
            row if row % 70 == 0 => (row, "free", 3),
            row if row % 50 == 0 => (row - 1, "1.00", 2),
            row => (row, "1.00", 1),
        };
        text.push_str(&format!("S{sku},\"Thing\n{row}\",{price},GBP\n"));
        (counts[0], counts[place]) = (counts[0] + 1, counts[place] + 1);
    }
    (text, counts)
}

async fn rows_done(pool: &PgPool, id: Uuid) -> (i64, String) {
    sqlx::query_as("select rows, state from app.import where id = $1").bind(id).fetch_one(pool).await.unwrap()
}

/// Waits until this many rows were dealt with, or the import is over.
async fn until_done(pool: &PgPool, id: Uuid, wanted: i64) -> String {
    until_async(&format!("{wanted} rows"), PATIENCE, async || {
        let (rows, state) = rows_done(pool, id).await;
        (rows >= wanted || matches!(state.as_str(), "finished" | "stopped")).then_some(state)
    })
    .await
}

fn id_of(text: &serde_json::Value) -> Uuid {
    text["job_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn kills_neither_lose_nor_double_a_row() {
    let api = Api::start().await;
    let (file, wanted) = file(12_000);
    let accepted = send(&api.admin, "kind=products", CSV, file).await;
    let id = id_of(&accepted.json());
    for threshold in [1, 2_500, 5_500] {
        let mut worker = Worker::start(&api.pool);
        assert_eq!(until_done(&api.pool, id, threshold).await, "running", "it was over before it could be killed");
        worker.kill();
    }
    let _worker = Worker::start(&api.pool);
    // A job that was running in three processes that crashed is given up. Whoever knows why they crashed has it go on.
    let mut conn = api.pool.acquire().await.unwrap();
    while api.admin.get(&format!("/api/v1/jobs/{id}")).await.json()["dead_reason"] != "poison" {
        assert_ne!(rows_done(&api.pool, id).await.1, "finished");
    }
    let redriven = Control::new(&mut conn, 0, "test").unwrap().redrive(&Select::Ids(vec![id])).await.unwrap();
    assert_eq!(redriven.changed, 1);
    assert_eq!(until_done(&api.pool, id, i64::MAX).await, "finished");
    let import = api.admin.get(&format!("/api/v1/imports/{id}")).await.json();
    assert_eq!(counts(&import), wanted);
    assert_eq!(count(&api.pool, "app.product").await, wanted[1]);
    assert_eq!(count(&api.pool, "(select distinct sku from app.product) as skus").await, wanted[1]);
    let findings = "(select distinct row, line from app.import_finding where line = 2 * row) as places";
    assert_eq!(count(&api.pool, findings).await, wanted[2] + wanted[3], "each row has its own line");
    assert_eq!(count(&api.pool, "app.import_finding").await, wanted[2] + wanted[3]);
    let last: i64 =
        sqlx::query_scalar("select max(number) from app.import_finding").fetch_one(&api.pool).await.unwrap();
    assert_eq!(last, wanted[2] + wanted[3], "numbered without a gap");
}

#[tokio::test]
async fn an_import_whose_job_is_cancelled_stops_between_two_batches() {
    let api = Api::start().await;
    let (file, _) = file(60_000);
    let accepted = send(&api.admin, "kind=products", CSV, file).await;
    let id = id_of(&accepted.json());
    let _worker = Worker::start(&api.pool);
    until_done(&api.pool, id, 1).await;
    let mut conn = api.pool.acquire().await.unwrap();
    let cancel = Control::new(&mut conn, 0, "test").unwrap().cancel(&Select::Ids(vec![id])).await.unwrap();
    assert_eq!(cancel.changed, 1);
    assert_eq!(until_done(&api.pool, id, i64::MAX).await, "stopped");
    let import = api.admin.get(&format!("/api/v1/imports/{id}")).await.json();
    let [rows, created, ..] = counts(&import);
    assert!(rows > 0 && rows < 60_000, "{import}");
    assert_eq!(count(&api.pool, "app.product").await, created);
    assert_eq!(count(&api.pool, "app.import_chunk").await, 0);
    let job = loop {
        let job = api.admin.get(&format!("/api/v1/jobs/{id}")).await.json();
        if job["finished_at"].is_string() {
            break job;
        }
    };
    assert_eq!(job["state"], json!("cancelled"), "{job}");
}
