//! Erasing a user over HTTP: nothing of the person is left anywhere, and the ledger is as it was.

use jobs::{ACCOUNTS_QUEUE, LEDGER_QUEUE, PRODUCTS_QUEUE, State};
use ledger::Book;
use ledger::keys::SigningKey;
use ledger::verify::verify;
use queue::Registry;
use queue::testing::{Outcome, drain};
use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

use super::harness::Api;

/// Words that only this person has.
const WORDS: [&str; 3] = ["zenobia", "palmyra", "a-gift-of-dates"];

fn registry() -> Registry {
    jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()))
}

/// The tables of the service that hold one of these words, in any column.
async fn tables_with(pool: &PgPool, words: &[&str]) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname in ('app', 'queue', 'ledger', 'reconciliation') order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(tables.len() > 30, "{tables:?}");
    let mut found = Vec::new();
    for table in tables {
        let text = format!("select exists (select from {table} as t where t::text ~* $1)");
        let pattern = words.join("|");
        if sqlx::query_scalar::<_, bool>(AssertSqlSafe(text)).bind(pattern).fetch_one(pool).await.unwrap() {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn an_erased_user_is_nowhere_and_the_ledger_is_sound() {
    let api = Api::start().await;
    let new = json!({ "email": "zenobia@example.org", "name": "Zenobia", "country": "Palmyra" });
    let created = api.admin.post_once("/api/v1/users", "create-her", &new).await.json();
    let path = format!("/api/v1/users/{}", created["id"].as_str().unwrap());
    let registry = registry();
    drain(&api.pool, &registry, ACCOUNTS_QUEUE).await;
    let wallet = &created["wallets"][0]["account_id"];
    let deposit = json!({
        "type": "deposit", "to": wallet, "amount": { "amount": "10.00", "currency": "GBP" },
        "description": "a-gift-of-dates",
    });
    assert_eq!(api.admin.post_once("/api/v1/transactions", "pay-her", &deposit).await.status, 202);
    api.admin.post("/api/v1/users/process", &json!({ "operation": "recount" })).await;
    drain(&api.pool, &registry, LEDGER_QUEUE).await;
    drain(&api.pool, &registry, ACCOUNTS_QUEUE).await;
    // A file that is to make products of hers is still to be read.
    let id = created["id"].as_str().unwrap();
    let file = "sku,name,price,currency\n1,Silk of Palmyra,1.00,GBP\n";
    let import = format!("/api/v1/imports?kind=products&owner_id={id}");
    let import = api.admin.send(Method::POST, &import, &[("content-type", "text/csv")], file.into()).await.json();
    assert!(tables_with(&api.pool, &WORDS).await.len() >= 2);
    let root: Vec<u8> = sqlx::query_scalar("select root from ledger.book").fetch_one(&api.pool).await.unwrap();

    let erase = format!("{path}/erase");
    let first = api.admin.send(Method::POST, &erase, &[("idempotency-key", "erase-her")], Vec::new()).await;
    let again = api.admin.send(Method::POST, &erase, &[("idempotency-key", "erase-her")], Vec::new()).await;
    assert_eq!((first.status.as_u16(), &first.text), (202, &again.text));
    let ran = drain(&api.pool, &registry, ACCOUNTS_QUEUE).await;
    assert_eq!(ran.iter().map(|ran| &ran.outcome).collect::<Vec<_>>(), [&Outcome::Succeeded(None)]);
    assert_eq!(tables_with(&api.pool, &WORDS).await, Vec::<String>::new());
    let erased = api.admin.get(&path).await.json();
    assert_eq!(
        (&erased["name"], &erased["country"], &erased["status"]),
        (&json!("erased"), &json!(null), &json!("suspended"))
    );
    let pieces: i64 = sqlx::query_scalar("select count(*) from app.import_chunk").fetch_one(&api.pool).await.unwrap();
    assert_eq!(pieces, 0, "her file is gone, too");
    // The import's job finds nothing to do.
    let ran = drain(&api.pool, &registry, PRODUCTS_QUEUE).await;
    assert!(matches!(ran[0].outcome, Outcome::Discarded(_)), "{ran:?}");
    assert_eq!(
        api.admin.get(&format!("/api/v1/imports/{}", import["job_id"].as_str().unwrap())).await.json()["state"],
        "stopped"
    );
    let mut conn = api.pool.acquire().await.unwrap();
    let report = verify(&mut conn, Book::MAIN, &[], |_| ()).await.unwrap();
    assert!(report.is_clean() && report.root.to_vec() == root, "{:?}", report.findings);
    // What the administrator did stays, without a word of hers.
    let audit: (uuid::Uuid, String) = sqlx::query_as("select actor, target from app.audit where action = 'user.erase'")
        .fetch_one(&api.pool)
        .await
        .unwrap();
    assert_eq!(audit, (api.principal.user_id.0, id.to_owned()), "once, though it was sent twice");
}

#[tokio::test]
async fn only_an_administrator_erases_and_only_others() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let erase = |who: super::harness::Caller, id: uuid::Uuid| async move {
        who.send(Method::POST, &format!("/api/v1/users/{id}/erase"), &[], Vec::new()).await.refusal()
    };
    assert_eq!(erase(caller, ada.principal.user_id.0).await.0, 403);
    assert_eq!(erase(api.operator().await, ada.principal.user_id.0).await.0, 403);
    assert_eq!(erase(api.admin.clone(), api.principal.user_id.0).await.1, "own_account");
    assert_eq!(erase(api.admin.clone(), uuid::Uuid::now_v7()).await.0, 404);
}
