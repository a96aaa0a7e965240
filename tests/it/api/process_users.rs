//! `process_users_async` of the Elixir service: all users, streamed, at most ten at a time.

use jobs::{ACCOUNTS_QUEUE, State};
use ledger::keys::SigningKey;
use queue::Registry;
use queue::testing::{Outcome, Ran, drain};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::harness::Api;

fn registry() -> Registry {
    jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()))
}

/// A worker's pool: more connections than the job may use.
async fn worker_pool(api: &Api) -> PgPool {
    let options = api.pool.connect_options().as_ref().clone();
    queue::pool_options().max_connections(30).connect_with(options).await.unwrap()
}

async fn create_users(pool: &PgPool, count: i32) {
    sqlx::query(
        "insert into app.account_user (id, email, name, role)
         select gen_random_uuid(), 'user' || n || '@example.org', 'User', 'user' from generate_series(1, $1) as n",
    )
    .bind(count)
    .execute(pool)
    .await
    .unwrap();
}

/// Sessions that wait for a lock of another one.
async fn blocked(pool: &PgPool) -> i64 {
    let statement = "select count(*) from pg_stat_activity
                     where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0";
    sqlx::query_scalar(statement).fetch_one(pool).await.unwrap()
}

fn result(ran: &[Ran]) -> Value {
    match &ran[0].outcome {
        Outcome::Succeeded(Some(result)) => result.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn process_users_async_processes_every_user_ten_at_a_time_and_never_more() {
    let api = Api::start().await;
    create_users(&api.pool, 999).await;
    let accepted = api.admin.post("/api/v1/users/process", &json!({ "operation": "recount" })).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    // Whoever counts a user waits for this lock: so many wait at once as are processed at once.
    let mut lock = api.pool.begin().await.unwrap();
    sqlx::query("lock table app.user_statistics in share mode").execute(&mut *lock).await.unwrap();
    let pool = worker_pool(&api).await;
    let running = tokio::spawn(async move { drain(&pool, &registry(), ACCOUNTS_QUEUE).await });
    while blocked(&api.pool).await < 10 {
        assert!(!running.is_finished(), "nobody waits for the lock");
    }
    for _ in 0..200 {
        assert_eq!(blocked(&api.pool).await, 10, "an eleventh is not begun while ten are under way");
    }
    lock.rollback().await.unwrap();
    let wanted = json!({ "processed": 1_000, "failed": 0, "failures": [], "most_at_once": 10 });
    assert_eq!(result(&running.await.unwrap()), wanted);
    let counted: i64 =
        sqlx::query_scalar("select count(*) from app.user_statistics").fetch_one(&api.pool).await.unwrap();
    assert_eq!(counted, 1_000);
    let job = api.admin.get(accepted.header("location").unwrap()).await.json();
    assert_eq!(
        (&job["kind"], &job["state"], &job["result"]),
        (&json!("accounts.process_users"), &json!("succeeded"), &wanted)
    );
    assert_eq!(job["progress"]["processed"], 1_000);
}

#[tokio::test]
async fn process_users_async_goes_on_when_one_user_fails() {
    let api = Api::start().await;
    create_users(&api.pool, 30).await;
    let broken: uuid::Uuid = sqlx::query_scalar("select id from app.account_user where email = 'user7@example.org'")
        .fetch_one(&api.pool)
        .await
        .unwrap();
    let trigger = format!(
        "create function break_one() returns trigger language plpgsql as $$
             begin
                 if new.user_id = '{broken}' then raise exception 'this one is broken'; end if;
                 return new;
             end $$;
         create trigger break_one before insert on app.user_statistics for each row execute function break_one()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&api.pool).await.unwrap();
    api.admin.post("/api/v1/users/process", &json!({ "operation": "recount" })).await;
    let result = result(&drain(&worker_pool(&api).await, &registry(), ACCOUNTS_QUEUE).await);
    assert_eq!((&result["processed"], &result["failed"]), (&json!(30), &json!(1)));
    assert_eq!(result["failures"][0]["user_id"], json!(broken));
    assert!(result["failures"][0]["reason"].as_str().unwrap().contains("this one is broken"));
    assert_eq!(api.admin.get(&format!("/api/v1/users/{broken}/statistics")).await.refusal().0, 404);
}

#[tokio::test]
async fn what_is_counted_is_what_there_is() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let (_, other) = api.customer().await;
    let price = json!({ "amount": "1.00", "currency": "GBP" });
    caller.post("/api/v1/products", &json!({ "sku": "1", "name": "One", "price": price })).await;
    let path = format!("/api/v1/users/{}/statistics", ada.principal.user_id);
    assert_eq!(caller.get(&path).await.status, 404, "nobody has counted yet");
    api.admin.post("/api/v1/users/process", &json!({ "operation": "recount" })).await;
    drain(&worker_pool(&api).await, &registry(), ACCOUNTS_QUEUE).await;
    let counted = caller.get(&path).await.json();
    assert_eq!((&counted["products"], &counted["transactions"]), (&json!(1), &json!(0)));
    assert!(counted["last_active_at"].is_string());
    assert_eq!(other.get(&path).await.status, 404);
}

#[tokio::test]
async fn missing_wallets_are_opened_and_only_an_administrator_asks() {
    let api = Api::start().await;
    let created = api.admin.post("/api/v1/users", &json!({ "email": "a@example.org", "name": "A" })).await;
    sqlx::query("delete from queue.job").execute(&api.pool).await.unwrap();
    let (_, caller) = api.customer().await;
    let wanted = json!({ "operation": "open_missing_wallets" });
    assert_eq!(caller.post("/api/v1/users/process", &wanted).await.refusal().0, 403);
    assert_eq!(api.operator().await.post("/api/v1/users/process", &wanted).await.refusal().0, 403);
    let first = api.admin.post_once("/api/v1/users/process", "k", &wanted).await;
    let again = api.admin.post_once("/api/v1/users/process", "k", &wanted).await;
    assert_eq!((first.text, again.header("idempotency-replayed")), (again.text.clone(), Some("true")));
    let ran = drain(&worker_pool(&api).await, &registry(), ACCOUNTS_QUEUE).await;
    assert_eq!((ran.len(), &result(&ran)["failed"]), (1, &json!(0)));
    let user = api.admin.get(created.header("location").unwrap()).await.json();
    assert_eq!(user["wallets"][0]["state"], "open");
}
