//! The testkit keeps its own promises.

use tests::database::Database;

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (Database::create().await.pool(1).await, Database::create().await.pool(1).await);
    sqlx::query("create table only_in_one ()").execute(&one).await.unwrap();
    let seen: Option<String> =
        sqlx::query_scalar("select to_regclass('only_in_one')::text").fetch_one(&other).await.unwrap();
    assert_eq!(seen, None);
}
