//! Statements as files: of any size up to the limit, the same as by the command line, whole or not at all, and in nobody's way.

use std::time::Duration;

use api::Limits;
use chrono::NaiveDate;
use domain::imports::upload::PIECE_BYTES;
use domain::reconciliation::statements::{NewStatement, import};
use jobs::LEDGER_QUEUE;
use ledger::{AccountId, Book, Currency, Money};
use queue::testing::drain;
use reqwest::Method;
use serde_json::json;
use tests::database::Database;
use tokio::io::AsyncWriteExt;

use super::kit::{CSV, answer, begin, count, registry, until_count};
use crate::api::harness::Api;

const HEADER: &str = "date,amount,currency,reference,id,description\n";
/// Lines of a statement of more than six megabytes.
const LINES: i128 = 25_000;

/// Where a statement of this account is sent.
fn path(account: AccountId) -> String {
    format!(
        "/api/v1/ledger/statements?name=bank&account_id={account}&currency=GBP&period_from=2026-01-01&period_to=2026-01-31\
         &opening=0&closing=0"
    )
}

/// This many bytes of lines, at least.
fn lines(bytes: usize) -> String {
    let line = |n: usize| format!("2026-01-31,{n}.00,GBP,reference {n},,{}\n", "x".repeat(200));
    let mut file = HEADER.to_owned();
    (0..).map(line).take_while(|line| (file.push_str(line), file.len() < bytes).1).for_each(drop);
    file
}

/// Nothing of a file is left, neither as it arrived nor as lines.
async fn assert_nothing_is_left(api: &Api) {
    until_count(&api.pool, "app.import", |imports| imports == 0).await;
    for table in ["app.import_chunk", "reconciliation.statement", "reconciliation.statement_line"] {
        assert_eq!(count(&api.pool, table).await, 0, "{table}");
    }
}

/// A deposit in an account, as its bank would tell of it in many lines, and a line that nobody knows.
async fn deposited(api: &Api, account: AccountId) -> String {
    let body = json!({ "type": "deposit", "to": account.0, "amount": { "amount": "500.00", "currency": "GBP" } });
    let deposit = api.admin.post("/api/v1/transactions", &body).await;
    let id = deposit.json()["id"].as_str().unwrap().to_owned();
    drain(&api.pool, &registry(), LEDGER_QUEUE).await;
    let today: NaiveDate =
        sqlx::query_scalar("select (now() at time zone 'UTC')::date").fetch_one(&api.pool).await.unwrap();
    let line = |n: i128| format!("{today},0.02,GBP,,{id},{n} {}\n", "x".repeat(200));
    let known: String = (0..LINES).map(line).collect();
    format!("{HEADER}{known}{today},1.23,GBP,,nobody-knows,\n")
}

#[tokio::test]
async fn a_statement_beyond_a_batch_is_imported_and_reconciles_as_by_the_command_line() {
    let api = Api::start().await;
    let (ada, bob) = (api.customer().await.0.wallet, api.customer().await.0.wallet);
    let (by_http, by_command) = (deposited(&api, ada).await, deposited(&api, bob).await);
    assert!(by_http.len() > Limits::default().batch_body_bytes_max * 3 / 2);
    let today: NaiveDate =
        sqlx::query_scalar("select (now() at time zone 'UTC')::date").fetch_one(&api.pool).await.unwrap();
    let path = path(ada).replace("2026-01-01", &today.to_string()).replace("2026-01-31", &today.to_string());
    let path = path.replace("closing=0", "closing=501.23");
    let send =
        async || api.admin.send(Method::POST, &path, &[("content-type", CSV)], by_http.clone().into_bytes()).await;
    let first = send().await;
    assert_eq!((first.status.as_u16(), first.json()["lines"].as_i64()), (201, Some(25_001)), "{}", first.text);
    let again = send().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.json()["id"], first.json()["id"]);
    let gbp = |minor| Money { minor, currency: Currency::GBP };
    let new = NewStatement {
        name: "bank".to_owned(),
        account: bob,
        period_from: today,
        period_to: today,
        opening: gbp(0),
        closing: gbp(LINES * 2 + 123),
        tolerance_days: 3,
        tolerance_amount: 0,
    };
    let mut conn = api.pool.acquire().await.unwrap();
    import(&mut conn, Book::MAIN, &new, by_command.as_bytes(), "test").await.unwrap();
    drop(conn);
    api.admin.post("/api/v1/ledger/reconciliations", &json!({})).await;
    drain(&api.pool, &registry(), LEDGER_QUEUE).await;
    let listed = api.admin.get("/api/v1/ledger/statements").await.json();
    for statement in listed["items"].as_array().unwrap() {
        assert_eq!((&statement["lines"], &statement["matched_lines"]), (&json!(25_001), &json!(25_000)), "{statement}");
    }
    let breaks: Vec<String> =
        sqlx::query_scalar("select sub_class from reconciliation.break").fetch_all(&api.pool).await.unwrap();
    assert_eq!(breaks, ["missing_here", "missing_here"], "one of each statement");
    assert_eq!(count(&api.pool, "app.import").await, 0, "the file is not kept beside its lines");
}

#[tokio::test]
async fn a_statement_that_is_cut_too_long_too_slow_or_wrong_leaves_nothing() {
    let limits = Limits {
        upload_bytes_max: 4 * PIECE_BYTES as u64,
        body_timeout: Duration::from_secs(2),
        upload_rate_min: u64::MAX,
        ..Limits::default()
    };
    let api = Api::start_with(limits).await;
    let path = path(api.customer().await.0.wallet);
    let (fitting, too_long) = (lines(3 * PIECE_BYTES), lines(4 * PIECE_BYTES + 1));
    let length = |file: &str| format!("content-length: {}", file.len());
    // Its client goes away.
    let mut cut = begin(&api, &path, &length(&fitting)).await;
    cut.write_all(&fitting.as_bytes()[..2 * PIECE_BYTES + 5]).await.unwrap();
    until_count(&api.pool, "app.import_chunk", |pieces| pieces == 2).await;
    assert_eq!(count(&api.pool, "reconciliation.statement_line").await, 0);
    drop(cut);
    assert_nothing_is_left(&api).await;
    // It is declared as too long.
    let answered = answer(begin(&api, &path, &length(&too_long)).await).await;
    assert!(answered.starts_with("HTTP/1.1 413") && answered.contains("body_too_large"), "{answered}");
    // It stops arriving.
    let mut slow = begin(&api, &path, &length(&fitting)).await;
    slow.write_all(HEADER.as_bytes()).await.unwrap();
    let answered = answer(slow).await;
    assert!(answered.starts_with("HTTP/1.1 408") && answered.contains("body_timeout"), "{answered}");
    assert_nothing_is_left(&api).await;
    // A line far down is wrong.
    let wrong = format!("{fitting}2026-02-30,1.00,GBP,,,\n");
    let line = wrong.lines().count();
    let answered = api.admin.send(Method::POST, &path, &[("content-type", CSV)], wrong.into_bytes()).await;
    assert_eq!(answered.refusal().1, "malformed_statement");
    let detail = answered.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with(&format!("Line {line}, column date")), "{detail}");
    assert_nothing_is_left(&api).await;
}

#[tokio::test]
async fn slow_clients_hold_no_connection() {
    let api = Api::start_on(Database::create().await.pool(2).await, None, Limits::default()).await;
    let account = api.customer().await.0.wallet;
    let path = path(account);
    let file = lines(3 * PIECE_BYTES);
    let mut slow = Vec::new();
    for stalled in 1..=6 {
        let mut stream = begin(&api, &path, &format!("content-length: {}", file.len())).await;
        stream.write_all(&file.as_bytes()[..PIECE_BYTES + 5]).await.unwrap();
        until_count(&api.pool, "app.import_chunk", |pieces| pieces == stalled).await;
        slow.push(stream);
    }
    let whole = api.admin.send(Method::POST, &path, &[("content-type", CSV)], file.clone().into_bytes()).await;
    assert_eq!(whole.status, 201, "{}", whole.text);
    for mut stream in slow {
        stream.write_all(&file.as_bytes()[PIECE_BYTES + 5..]).await.unwrap();
        let answered = answer(stream).await;
        assert!(answered.starts_with("HTTP/1.1 201") && answered.contains("idempotency-replayed: true"), "{answered}");
    }
    assert_eq!(count(&api.pool, "reconciliation.statement").await, 1);
    assert_eq!(count(&api.pool, "app.import").await, 0);
}
