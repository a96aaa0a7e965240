//! Search data: kept by what is written, and made anew by a job.

use queue::testing::Outcome;
use reqwest::Method;
use serde_json::json;

use super::kit::{PRODUCTS, ask, create, names, patch, path, work};
use crate::api::harness::Api;

/// The words of the book with how many products have them.
async fn words(api: &Api) -> Vec<(String, i32)> {
    let words = "select word, products from app.product_word order by word";
    sqlx::query_as(words).fetch_all(&api.pool).await.unwrap()
}

#[tokio::test]
async fn reindex_counts_words_forgets_old_ones_and_fills_what_lacks() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let lamp = create(&caller, "1", "White lampion", "1").await;
    create(&caller, "2", "White lamp", "1").await;
    patch(&caller, &path(&lamp), &json!({ "name": "White candle" })).await;
    work(&api).await;
    // A row of an earlier release, and a word that was lost.
    let mut tx = api.pool.begin().await.unwrap();
    for statement in [
        "alter table app.product disable trigger keep_search",
        "update app.product set search = null where sku = '2'",
        "alter table app.product enable trigger keep_search",
        "delete from app.product_word where word = 'candle'",
    ] {
        sqlx::query(statement).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(names(&caller, "q=lamp").await, [""; 0]);
    assert_eq!(names(&caller, "q=cnadle").await, [""; 0]);

    let accepted = ask(&api.admin, &format!("{PRODUCTS}/reindex")).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let again = ask(&api.operator().await, &format!("{PRODUCTS}/reindex")).await;
    assert_eq!(again.json()["job_id"], accepted.json()["job_id"], "one run for all who ask");
    let ran = work(&api).await;
    assert_eq!(ran.len(), 1);
    assert_eq!(ran[0].outcome, Outcome::Succeeded(Some(json!({ "products": 2 }))));
    let word = |word: &str, products| (word.to_owned(), products);
    assert_eq!(words(&api).await, [word("candle", 1), word("lamp", 1), word("white", 2)]);
    assert_eq!(names(&caller, "q=lamp").await, ["White lamp"]);
    assert_eq!(names(&caller, "q=cnadle").await, ["White candle"]);
    let job = api.admin.get(accepted.header("location").unwrap()).await.json();
    assert_eq!(job["state"], "succeeded");
    assert_eq!(ask(&caller, &format!("{PRODUCTS}/reindex")).await.refusal().0, 403);
}

#[tokio::test]
async fn a_run_over_many_products_goes_in_steps_and_tells_how_far_it_is() {
    let api = Api::start().await;
    let (ada, _) = api.customer().await;
    sqlx::query(
        "insert into app.product (id, owner_id, sku, name, price, currency)
         select gen_random_uuid(), $1, number::text, 'Red lantern', 100, 'GBP'
         from generate_series(1, 2500) as number",
    )
    .bind(ada.principal.user_id.0)
    .execute(&api.pool)
    .await
    .unwrap();
    for what in ["reindex", "categorize"] {
        let (path, headers) = (format!("{PRODUCTS}/{what}"), [("idempotency-key", "once")]);
        let accepted = api.admin.send(Method::POST, &path, &headers, Vec::new()).await;
        let replayed = api.admin.send(Method::POST, &path, &headers, Vec::new()).await;
        assert_eq!(replayed.header("idempotency-replayed"), Some("true"), "{what}");
        assert_eq!(replayed.json(), accepted.json());
        let ran = work(&api).await;
        assert!(matches!(ran[0].outcome, Outcome::Succeeded(Some(_))), "{:?}", ran[0].outcome);
        let job = api.admin.get(accepted.header("location").unwrap()).await.json();
        assert_eq!(job["progress"], json!({ "done": 2000, "total": 2500, "progress": 0.8 }), "{what}");
    }
    assert_eq!(words(&api).await, [("lantern".to_owned(), 2500), ("red".to_owned(), 2500)]);
    let categorized = "select count(*) from app.product where category_by = 'rule'";
    let categorized: i64 = sqlx::query_scalar(categorized).fetch_one(&api.pool).await.unwrap();
    assert_eq!(categorized, 2500);
}
