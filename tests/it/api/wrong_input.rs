//! Wrong input gets a clear refusal: a table, one row each.

use ledger::Currency;
use reqwest::Method;
use serde_json::{Value, json};
use tests::people::{self, transfer};
use uuid::Uuid;

use super::harness::{Api, Caller};

/// The status, the code and the errors, each as `pointer code`.
type Expected = (u16, &'static str, &'static [&'static str]);

const TRANSACTIONS: &str = "/api/v1/transactions";

/// Sends the body as it is and compares status, code and wrong values.
async fn refused(caller: &Caller, path: &str, body: impl Into<Vec<u8>>, expected: (u16, &str, &[&str])) {
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    let answer = caller.send(Method::POST, path, &[("content-type", "application/json")], body).await;
    let (status, code, errors) = answer.refusal();
    let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
    assert_eq!((status, code.as_str(), errors.as_slice()), expected, "{shown}\n{}", answer.text);
}

/// A transfer with one member replaced; null takes it away.
fn with(transfer: &Value, name: &str, value: Value) -> String {
    let mut changed = transfer.clone();
    match value {
        Value::Null => drop(changed.as_object_mut().unwrap().remove(name)),
        value => changed[name] = value,
    }
    changed.to_string()
}

#[tokio::test]
async fn a_wrong_transaction_is_refused_by_field() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let good = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1.00", "currency": "GBP" }
    });
    let amount = |amount: Value| with(&good, "amount", json!({ "amount": amount, "currency": "GBP" }));
    let validation = |errors: &'static [&'static str]| (422, "validation_failed", errors);
    let huge = format!("1{}", "0".repeat(30));
    let two_megabytes = with(&good, "description", json!("x".repeat(2 * 1024 * 1024)));
    let nobody = Uuid::now_v7();
    let rows: Vec<(Vec<u8>, Expected)> = vec![
        ("{".into(), (400, "malformed_json", &[])),
        ("".into(), (400, "malformed_json", &[])),
        (format!("{good} x").into(), (400, "malformed_json", &[])),
        ("[".repeat(200_000).into(), (400, "malformed_json", &[])),
        (b"{\"type\": \"\xff\"}".to_vec(), (400, "malformed_json", &[])),
        (r#"{"description": "\ud800"}"#.into(), (400, "malformed_json", &[])),
        ("[]".into(), validation(&[" wrong_type"])),
        ("null".into(), validation(&[" wrong_type"])),
        ("{}".into(), validation(&["/type required"])),
        (with(&good, "colour", json!("red")).into(), validation(&["/colour unknown_field"])),
        (with(&good, "a/b~c", json!(1)).into(), validation(&["/a~1b~0c unknown_field"])),
        (r#"{"type": "transfer", "type": "deposit"}"#.into(), validation(&["/type duplicate_field"])),
        (with(&good, "type", json!("gift")).into(), validation(&["/type unknown_value"])),
        (with(&good, "type", json!(1)).into(), validation(&["/type wrong_type"])),
        (amount(json!("0")).into(), validation(&["/amount/amount positive"])),
        (amount(json!("-1")).into(), validation(&["/amount/amount positive"])),
        (amount(json!("1e3")).into(), validation(&["/amount/amount malformed_amount"])),
        (amount(json!("12.345")).into(), validation(&["/amount/amount too_many_decimals"])),
        (amount(json!(true)).into(), validation(&["/amount/amount wrong_type"])),
        (amount(json!(12.5)).into(), validation(&["/amount/amount wrong_type"])),
        (amount(json!(huge)).into(), validation(&["/amount/amount out_of_range"])),
        (amount(json!("")).into(), validation(&["/amount/amount malformed_amount"])),
        (amount(json!("1".repeat(5_000))).into(), validation(&["/amount/amount malformed_amount"])),
        (with(&good, "amount", json!("12.50 GBP")).into(), validation(&["/amount wrong_type"])),
        (with(&good, "amount", json!({ "amount": "1" })).into(), validation(&["/amount/currency required"])),
        (
            with(&good, "amount", json!({ "amount": "1", "currency": "XXQ" })).into(),
            validation(&["/amount/currency unknown_currency"]),
        ),
        (
            with(&good, "amount", json!({ "amount": "1", "currency": "gbp", "cents": 1 })).into(),
            validation(&["/amount/currency unknown_currency", "/amount/cents unknown_field"]),
        ),
        (with(&good, "to", json!(ada.wallet.0)).into(), validation(&["/to same_account"])),
        (with(&good, "to", json!("bob")).into(), validation(&["/to invalid_uuid"])),
        (with(&good, "to", Value::Null).into(), validation(&["/to required"])),
        (with(&good, "to", json!(nobody)).into(), (422, "account_not_found", &["/to account_not_found"])),
        (with(&good, "reference", json!("x".repeat(129))).into(), validation(&["/reference too_long"])),
        (with(&good, "reference", json!("")).into(), validation(&["/reference too_short"])),
        (with(&good, "description", json!("a\u{0}b")).into(), validation(&["/description control_character"])),
        (with(&good, "quantity", json!(1)).into(), validation(&["/quantity not_allowed"])),
        (with(&good, "quantity", json!(1.5)).into(), validation(&["/quantity wrong_type"])),
        (with(&good, "quantity", json!(0)).into(), validation(&["/quantity out_of_range"])),
        (with(&good, "effective_at", json!("yesterday")).into(), validation(&["/effective_at invalid_time"])),
        (two_megabytes.into(), (413, "body_too_large", &[])),
    ];
    for (body, expected) in rows {
        refused(&caller, TRANSACTIONS, body, expected).await;
    }
    let several = json!({ "type": "gift", "from": 1, "amount": { "amount": 1, "currency": "?" }, "x": null });
    let errors = [
        "/type unknown_value",
        "/from wrong_type",
        "/amount/amount wrong_type",
        "/amount/currency unknown_currency",
        "/x unknown_field",
    ];
    refused(&caller, TRANSACTIONS, several.to_string(), (422, "validation_failed", &errors)).await;
}

#[tokio::test]
async fn what_depends_on_others_is_refused_by_name() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let late = people::newcomer(&api.pool, &api.principal, Currency::GBP).await;
    let pounds = json!({ "amount": "1.00", "currency": "GBP" });
    let transfer =
        |from: Uuid, to: Uuid| json!({ "type": "transfer", "from": from, "to": to, "amount": pounds }).to_string();
    let deposit = json!({ "type": "deposit", "to": ada.wallet.0, "amount": pounds }).to_string();
    let euros = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "EUR" }
    });
    let reversal = json!({ "type": "reversal", "reverses": Uuid::now_v7() }).to_string();
    let rows: [(String, u16, &str, &str); 5] = [
        (transfer(bob.wallet.0, ada.wallet.0), 422, "account_not_found", "/from"),
        (transfer(ada.wallet.0, late.wallet.0), 409, "account_not_open", "/to"),
        (deposit, 403, "deposit_not_allowed", "/type"),
        (euros.to_string(), 422, "currency_mismatch", "/amount/currency"),
        (reversal, 422, "original_not_found", "/reverses"),
    ];
    for (body, status, code, pointer) in rows {
        refused(&caller, TRANSACTIONS, body, (status, code, &[&format!("{pointer} {code}")])).await;
    }
}

#[tokio::test]
async fn a_wrong_batch_is_refused_as_a_whole() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let one = json!({ "type": "withdrawal", "from": Uuid::now_v7(), "amount": { "amount": "1", "currency": "GBP" } });
    let batch = |transactions: Vec<Value>| json!({ "transactions": transactions }).to_string();
    let mut wrong = one.clone();
    wrong["amount"]["amount"] = json!(5);
    let mut negative = one.clone();
    negative["amount"]["amount"] = json!("-5");
    let rows: [(String, &[&str]); 5] = [
        (batch(vec![one.clone(); 1001]), &["/transactions too_many_items"]),
        (batch(vec![]), &["/transactions too_few_items"]),
        ("{}".to_owned(), &["/transactions required"]),
        (batch(vec![one.clone(), one.clone(), one.clone(), wrong]), &["/transactions/3/amount/amount wrong_type"]),
        (batch(vec![one.clone(), negative]), &["/transactions/1/amount/amount positive"]),
    ];
    for (body, errors) in rows {
        refused(&caller, "/api/v1/transactions/batch", body, (422, "validation_failed", errors)).await;
    }
    // A batch may be as long as a thousand transactions are, and no longer.
    let long = with(&json!({ "transactions": [one] }), "x", json!("x".repeat(5 * 1024 * 1024)));
    refused(&caller, "/api/v1/transactions/batch", long, (413, "body_too_large", &[])).await;
}

#[tokio::test]
async fn a_wrong_user_or_product_or_login_is_refused_by_field() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let validation = |errors: &'static [&'static str]| (422, "validation_failed", errors);
    let user = json!({ "email": "ada@example.org", "name": "Ada" });
    let rows: [(String, Expected); 7] = [
        ("{}".to_owned(), validation(&["/email required", "/name required"])),
        (with(&user, "email", json!("nowhere")), validation(&["/email email"])),
        (with(&user, "name", json!("   ")), validation(&["/name blank"])),
        (with(&user, "role", json!("king")), validation(&["/role unknown_value"])),
        (with(&user, "password", json!("short")), validation(&["/password too_short"])),
        (with(&user, "currencies", json!(["GBP", "XXQ"])), validation(&["/currencies/1 unknown_currency"])),
        (
            with(&user, "currencies", json!(["GBP", "JPY", "GBP"])),
            validation(&["/currencies/1 currency_not_offered", "/currencies/2 duplicate"]),
        ),
    ];
    for (body, expected) in rows {
        refused(&api.admin, "/api/v1/users", body, expected).await;
    }
    refused(&caller, "/api/v1/users", user.to_string(), (403, "forbidden", &[])).await;
    let product = json!({ "sku": "a", "name": "b", "price": { "amount": "0", "currency": "GBP" } });
    refused(&caller, "/api/v1/products", product.to_string(), validation(&["/price/amount positive"])).await;
    let login = json!({ "email": "nobody@example.org", "password": "correct horse battery staple" });
    refused(&api.nobody(), "/api/v1/sessions", login.to_string(), (401, "invalid_credentials", &[])).await;
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let api = Api::start().await;
    let rows = [
        ("/api/v1/transactions?limit=0", "limit invalid_parameter"),
        ("/api/v1/transactions?limit=201", "limit invalid_parameter"),
        ("/api/v1/transactions?limit=ten", "limit invalid_parameter"),
        ("/api/v1/transactions?after=nonsense", "after invalid_parameter"),
        ("/api/v1/transactions?status=lost", "status invalid_parameter"),
        ("/api/v1/transactions?account=1", "account invalid_parameter"),
        ("/api/v1/transactions?limt=5", "limt unknown_parameter"),
        ("/api/v1/transactions?limit=5&limit=6", "limit duplicate_parameter"),
        ("/api/v1/users?email=%00", "email invalid_parameter"),
        ("/api/v1/users/1?fields=all", "fields unknown_parameter"),
        ("/api/v1/users/1", "id invalid_parameter"),
        ("/api/v1/jobs/not-a-uuid", "id invalid_parameter"),
        ("/api/v1/accounts/%00", "id invalid_parameter"),
    ];
    for (path, expected) in rows {
        let answer = api.admin.get(path).await;
        assert_eq!(answer.refusal(), (422, "validation_failed".to_owned(), vec![expected.to_owned()]), "{path}");
    }
    let key = api.admin.post_once("/api/v1/products", "a b", &json!({})).await;
    assert_eq!(key.refusal().2, ["Idempotency-Key invalid_parameter"]);
    let no_text = api.admin.post_once("/api/v1/products", "caf\u{e9}", &json!({})).await;
    assert_eq!(no_text.refusal().2, ["Idempotency-Key invalid_parameter"], "it is not overlooked");
}

#[tokio::test]
async fn who_may_not_is_refused() {
    let api = Api::start().await;
    let ((ada, caller), (bob, other)) = (api.customer().await, api.customer().await);
    let well_formed = domain::access::token::Token::new(domain::access::token::Purpose::ApiKey);
    for stranger in [api.nobody(), api.bearer("nonsense"), api.bearer(well_formed.reveal())] {
        let answer = stranger.get("/api/v1/transactions").await;
        assert_eq!(answer.refusal().0, 401);
        assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    }
    let basic = api.nobody().send(Method::GET, "/api/v1/users", &[("authorization", "Basic YTpi")], Vec::new()).await;
    assert_eq!(basic.refusal().0, 401);

    let mut conn = api.pool.acquire().await.unwrap();
    let asked = transfer(ada.wallet, bob.wallet, 100);
    let decided =
        domain::transactions::accept(&mut conn, ledger::Book::MAIN, &[(ada.principal, &asked)]).await.unwrap();
    let domain::transactions::Decision::Accepted(transaction) = &decided[0] else { panic!("{decided:?}") };
    let (_, third) = api.customer().await;
    let transaction = format!("/api/v1/transactions/{}", transaction.id);
    for (who, path, status) in [
        (&caller, transaction.clone(), 200),
        (&other, transaction.clone(), 200),
        (&third, transaction, 404),
        (&caller, format!("/api/v1/accounts/{}", ada.wallet), 200),
        (&other, format!("/api/v1/accounts/{}", ada.wallet), 404),
        (&other, format!("/api/v1/accounts/{}/entries", ada.wallet), 404),
        (&other, format!("/api/v1/transactions?account={}", ada.wallet), 404),
        (&other, format!("/api/v1/users/{}", ada.principal.user_id), 404),
        (&api.admin, format!("/api/v1/users/{}", ada.principal.user_id), 200),
        (&caller, format!("/api/v1/jobs/{}", Uuid::now_v7()), 404),
    ] {
        assert_eq!(who.get(&path).await.status, status, "{path}");
    }
}
