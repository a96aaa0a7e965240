//! Reconciliations, breaks and statements over HTTP, for staff only.

use reqwest::Method;
use serde_json::json;
use tests::people::customer;

use super::harness::Api;

const STATEMENTS: &str = "/api/v1/ledger/statements?name=bank&currency=GBP&period_from=2026-01-01&period_to=2026-01-31\
    &opening=0&closing=0.00&account_id=";

#[tokio::test]
async fn staff_ask_for_a_run_and_read_its_report() {
    let api = Api::start().await;
    let person = customer(&api.pool, &api.principal, ledger::Currency::GBP).await;
    let user = api.caller(&person.principal).await;
    assert_eq!(user.post("/api/v1/ledger/reconciliations", &json!({})).await.refusal().0, 403);
    let asked = api.admin.post("/api/v1/ledger/reconciliations", &json!({ "kind": "full" })).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let location = asked.header("location").unwrap().to_owned();
    assert_eq!(api.admin.get(&location).await.json()["state"], "waiting");
    let key = ledger::keys::SigningKey::generate("test.example/main").unwrap();
    let registry = jobs::registry(jobs::State::of_key(key));
    queue::testing::drain(&api.pool, &registry, jobs::LEDGER_QUEUE).await;
    let run = api.admin.get(&location).await.json();
    assert_eq!((&run["state"], run["classes"].as_array().unwrap().len()), (&json!("clean"), 12), "{run}");
    let page = api.admin.get(&format!("{location}/report")).await;
    assert!(page.header("content-type").is_some_and(|content| content.starts_with("text/html")));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("style-src 'unsafe-inline'")));
    assert!(page.text.contains("Everything agrees") && !page.text.contains("<script"), "{}", page.text);
    assert_eq!(user.get(&location).await.refusal().0, 403);
    let listed = api.admin.get("/api/v1/ledger/reconciliations?state=clean").await.json();
    assert_eq!(listed["items"][0]["id"], run["id"]);
}

#[tokio::test]
async fn a_break_is_assigned_and_resolved_with_who_and_why() {
    let api = Api::start().await;
    sqlx::query(
        "insert into reconciliation.break (id, book, key, class, sub_class, severity, severity_least, subject_kind, subject,
             amount, currency, detail, first_run, last_run)
         values (gen_random_uuid(), 1, sha256('x'), 'R9', 'not_cleared', 'low', 'low', 'correlation', '<x>', 1250, 'GBP',
             'clearing <b>keeps</b> 12.50', gen_random_uuid(), gen_random_uuid())",
    )
    .execute(&api.pool)
    .await
    .unwrap();
    let listed = api.admin.get("/api/v1/ledger/breaks?class=R9&severity=low").await.json();
    assert_eq!(listed["items"][0]["amount"], json!({ "amount": "12.50", "currency": "GBP" }));
    let path = format!("/api/v1/ledger/breaks/{}", listed["items"][0]["id"].as_str().unwrap());
    let patch = async |body: serde_json::Value| {
        let headers = [("content-type", "application/json")];
        api.admin.send(Method::PATCH, &path, &headers, body.to_string().into_bytes()).await
    };
    let refused = patch(json!({ "state": "assigned", "why": "x" })).await.refusal();
    assert_eq!(refused, (422, "validation_failed".to_owned(), vec!["/assignee required".to_owned()]));
    let refused = patch(json!({ "state": "gone" })).await.refusal();
    assert_eq!(refused.2, ["/state unknown_value", "/why required"]);
    patch(json!({ "state": "assigned", "assignee": "ada@example.org", "why": "knows the bank" })).await;
    let resolved = patch(json!({ "state": "resolved", "why": "came a day late" })).await.json();
    assert_eq!((&resolved["state"], &resolved["resolution"]), (&json!("resolved"), &json!("came a day late")));
    let changes = resolved["changes"].as_array().unwrap();
    let who = api.principal.user_id.to_string();
    assert!(changes.len() == 2 && changes.iter().all(|change| change["who"] == who.as_str()), "{changes:?}");
    assert_eq!(api.admin.get("/api/v1/ledger/breaks").await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_statement_is_imported_once_and_a_wrong_line_is_named() {
    let api = Api::start().await;
    let person = customer(&api.pool, &api.principal, ledger::Currency::GBP).await;
    let path = format!("{STATEMENTS}{}", person.wallet);
    let send = async |file: &str, media: &str| {
        api.admin.send(Method::POST, &path, &[("content-type", media)], file.as_bytes().to_vec()).await
    };
    let file = "date,amount,currency,reference,id,description\n2026-01-31,1.00,GBP,a,,\n2026-01-31,-1.00,GBP,b,,\n";
    let first = send(file, "text/csv").await;
    assert_eq!((first.status.as_u16(), first.json()["lines"].as_i64()), (201, Some(2)), "{}", first.text);
    let again = send(file, "text/csv").await;
    assert_eq!(
        (again.json()["id"].clone(), again.header("idempotency-replayed")),
        (first.json()["id"].clone(), Some("true"))
    );
    let wrong = send(&format!("{file}2026-02-30,1.00,GBP,,,\n"), "text/csv").await;
    assert_eq!(wrong.refusal().1, "malformed_statement");
    assert!(wrong.json()["detail"].as_str().unwrap().starts_with("Line 4, column date"), "{}", wrong.text);
    assert_eq!(send(file, "application/json").await.refusal().0, 415);
    assert_eq!(api.admin.get("/api/v1/ledger/statements").await.json()["items"][0]["matched_lines"], json!(null));
}
