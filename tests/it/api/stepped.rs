//! Jobs of many steps whose worker is killed between them: they go on with the step that they were in, and what they count is
//! what there is.

use std::time::Duration;

use serde_json::{Value, json};
use tests::wait::until_async;

use super::harness::{Answer, Api};
use super::worker::Worker;

const PATIENCE: Duration = Duration::from_secs(120);
/// A third crash would make a dead letter of the job.
const KILLS: usize = 2;

async fn create_users(api: &Api, count: i32) {
    sqlx::query(
        "insert into app.account_user (id, email, name, role)
         select gen_random_uuid(), 'user' || n || '@example.org', 'User', 'user' from generate_series(1, $1) as n",
    )
    .bind(count)
    .execute(&api.pool)
    .await
    .unwrap();
}

async fn create_products(api: &Api, count: i32) {
    let (owner, _) = api.customer().await;
    sqlx::query("delete from queue.job").execute(&api.pool).await.unwrap();
    sqlx::query(
        "insert into app.product (id, owner_id, sku, name, price, currency)
         select gen_random_uuid(), $1, number::text, 'Red lantern', 100, 'GBP' from generate_series(1, $2) as number",
    )
    .bind(owner.principal.user_id.0)
    .bind(count)
    .execute(&api.pool)
    .await
    .unwrap();
}

/// How many there are, by a condition that starts with `from`.
async fn count(api: &Api, from: &'static str) -> i64 {
    let statement = sqlx::AssertSqlSafe(format!("select count(*) {from}"));
    sqlx::query_scalar(statement).fetch_one(&api.pool).await.unwrap()
}

/// Runs the job that was asked for with workers that are killed after a step of theirs, and answers its result.
async fn result_after_kills(api: &Api, asked: &Answer, done: &str) -> Value {
    assert_eq!(asked.status, 202, "{}", asked.text);
    let path = asked.header("location").unwrap();
    let mut before = 0;
    for _ in 0..KILLS {
        let mut worker = Worker::start(&api.pool);
        before = until_async("a step", PATIENCE, async || {
            let job = api.admin.get(path).await.json();
            assert!(job["finished_at"].is_null(), "it was over before it could be killed: {job}");
            job["progress"][done].as_u64().filter(|now| *now > before)
        })
        .await;
        worker.kill();
    }
    let _worker = Worker::start(&api.pool);
    let job = until_async("its end", PATIENCE, async || {
        let job = api.admin.get(path).await.json();
        job["finished_at"].is_string().then_some(job)
    })
    .await;
    assert_eq!(job["state"], "succeeded", "{job}");
    assert_eq!(
        (&job["attempt"], job["errors"].as_array().unwrap().len()),
        (&json!(1), KILLS),
        "a crash uses no attempt: {job}"
    );
    job["result"].clone()
}

#[tokio::test]
async fn process_users_counts_each_user_once() {
    let api = Api::start().await;
    create_users(&api, 4_999).await;
    let asked = api.admin.post("/api/v1/users/process", &json!({ "operation": "recount" })).await;
    let result = result_after_kills(&api, &asked, "processed").await;
    assert_eq!((&result["processed"], &result["failed"]), (&json!(5_000), &json!(0)));
    assert_eq!(count(&api, "from app.user_statistics").await, 5_000);
}

#[tokio::test]
async fn reindex_counts_each_word_as_often_as_it_occurs() {
    let api = Api::start().await;
    create_products(&api, 15_000).await;
    let asked = api.admin.post("/api/v1/products/reindex", &json!({})).await;
    assert_eq!(result_after_kills(&api, &asked, "done").await, json!({ "products": 15_000 }));
    let words: Vec<(String, i32)> =
        sqlx::query_as("select word, products from app.product_word order by word").fetch_all(&api.pool).await.unwrap();
    assert_eq!(words, [("lantern".to_owned(), 15_000), ("red".to_owned(), 15_000)]);
}

#[tokio::test]
async fn categorize_changes_each_product_once() {
    let api = Api::start().await;
    create_products(&api, 15_000).await;
    let asked = api.admin.post("/api/v1/products/categorize", &json!({})).await;
    let result = result_after_kills(&api, &asked, "done").await;
    assert_eq!(result, json!({ "products": 15_000, "changed": 15_000 }));
    assert_eq!(count(&api, "from app.product where category_by = 'rule'").await, 15_000);
}
