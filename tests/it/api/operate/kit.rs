//! Jobs of the catalogue in whatever state a test needs.

use queue::testing::drain;
use queue::{NewJob, Registry};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::api::harness::{Answer, Caller};

/// A job that categorises every product, which there are none of.
pub(super) fn categorize() -> NewJob {
    let payload = json!({ "shard": 0, "book_id": 1, "product_id": null });
    jobs::catalogue::find("products.categorize").unwrap().job(&payload).unwrap()
}

/// Enqueues; returns the id.
pub(super) async fn enqueue(pool: &PgPool, job: NewJob) -> Uuid {
    queue::enqueue(&mut pool.acquire().await.unwrap(), &[job]).await.unwrap()[0].id
}

/// Every kind that a worker runs.
pub(super) fn registry() -> Registry {
    let key = ledger::keys::SigningKey::generate("test.example/main").unwrap();
    jobs::registry(jobs::State::of_key(key))
}

/// Runs what waits in the queue of products.
pub(super) async fn run_products(pool: &PgPool) {
    drain(pool, &registry(), jobs::PRODUCTS_QUEUE).await;
}

/// Moves a ready job to the dead letters, as if its attempts were used up.
pub(super) async fn bury(pool: &PgPool, id: Uuid, error: &str) {
    sqlx::query(
        "with gone as (delete from queue.job where id = $1 returning *)
         insert into queue.dead_job (shard, attempt, crashes, epoch, priority, max_attempts, died_at, id, run_at, created_at, reason,
             queue, kind, actor, tags, parent, errors, payload, version)
         select shard, max_attempts, 0, epoch, priority, max_attempts, now(), id, run_at, created_at, 'exhausted',
             queue, kind, actor, tags, parent,
             jsonb_build_array(jsonb_build_object('attempt', 1, 'error', $2::text, 'chain', '[]'::jsonb, 'at', now(), 'process', null)),
             payload, version
           from gone",
    )
    .bind(id)
    .bind(error)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("insert into queue.counter_change (queue, ready, dead) values ('products', -1, 1)")
        .execute(pool)
        .await
        .unwrap();
}

/// The ids of a page.
pub(super) fn ids(page: &Value) -> Vec<Uuid> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// A request with a body and a precondition.
pub(super) async fn conditional(
    caller: &Caller,
    method: Method,
    path: &str,
    tag: Option<&str>,
    body: &Value,
) -> Answer {
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(tag.map(|tag| ("if-match", tag)));
    let body = if method == Method::DELETE { Vec::new() } else { body.to_string().into_bytes() };
    caller.send(method, path, &headers, body).await
}

/// A PUT.
pub(super) async fn put(caller: &Caller, path: &str, body: &Value) -> Answer {
    conditional(caller, Method::PUT, path, None, body).await
}
