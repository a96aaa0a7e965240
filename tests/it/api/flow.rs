//! From a user to a transaction on its way, and what repeating each step does.

use domain::transactions::record::{self, Verdict};
use jobs::record_transaction::RecordTransaction;
use ledger::TransactionId;
use queue::BatchJob;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use tests::database::told_by;
use uuid::Uuid;

use super::harness::{Answer, Api};

const TRANSACTIONS: &str = "/api/v1/transactions";

fn id(value: &Value) -> Uuid {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_user_is_created_logs_in_and_sells() {
    let api = Api::start().await;
    let password = "correct horse battery staple";
    let new = json!({ "email": "Ada@Example.org", "name": "Ada", "password": password, "currencies": ["GBP", "EUR"] });
    let created = api.admin.post("/api/v1/users", &new).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let user = created.json();
    let location = created.header("location").unwrap().to_owned();
    assert_eq!(location, format!("/api/v1/users/{}", id(&user["id"])));
    assert_eq!((&user["wallets"][0]["state"], user["wallets"].as_array().unwrap().len()), (&json!("opening"), 2));
    assert!(user["job_id"].is_string() && user["role"] == "user");

    let again = api.admin.post("/api/v1/users", &json!({ "email": "ada@EXAMPLE.org", "name": "Other" })).await;
    assert_eq!((again.refusal().0, again.refusal().1.as_str()), (409, "email_taken"));
    assert_eq!(again.json()["existing_id"], user["id"]);

    let wrong = json!({ "email": "ada@example.org", "password": "incorrect horse battery" });
    assert_eq!(api.nobody().post("/api/v1/sessions", &wrong).await.refusal().1, "invalid_credentials");
    let session = json!({ "email": "ada@example.org", "password": password });
    let session = api.nobody().post("/api/v1/sessions", &session).await;
    assert_eq!(session.status, 201, "{}", session.text);
    let ada = api.bearer(session.json()["token"].as_str().unwrap());
    assert_eq!(ada.get(&location).await.json()["email"], "Ada@Example.org");
    let listed = ada.get("/api/v1/users").await.json();
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["has_more"]), (1, &json!(false)));
    let found = api.admin.get("/api/v1/users?email=ADA@example.org").await.json();
    assert_eq!(found["items"][0]["id"], user["id"]);

    let lamp = json!({ "sku": "85123A", "name": "Lamp", "price": { "amount": "2.5", "currency": "GBP" } });
    let product = ada.post("/api/v1/products", &lamp).await;
    assert_eq!(
        (product.status.as_u16(), &product.json()["price"]["amount"]),
        (201, &json!("2.50")),
        "{}",
        product.text
    );
    assert_eq!(ada.get(product.header("location").unwrap()).await.json()["owner_id"], user["id"]);
    assert_eq!(ada.post("/api/v1/products", &lamp).await.json()["existing_id"], product.json()["id"]);
    let account = ada.get(&format!("/api/v1/accounts/{}", id(&user["wallets"][0]["account_id"]))).await.json();
    assert_eq!((&account["state"], &account["version"]), (&json!("opening"), &json!(0)));
}

#[tokio::test]
async fn a_key_gives_the_same_answer_and_no_second_effect() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "GBP" }
    });
    let lamp = json!({ "sku": "lamp", "name": "Lamp", "price": { "amount": "2.50", "currency": "GBP" } });
    let batch = json!({ "transactions": [transfer, { "type": "transfer" , "from": bob.wallet.0, "to": ada.wallet.0,
        "amount": { "amount": "1", "currency": "GBP" } }] });
    let user = json!({ "email": "eve@example.org", "name": "Eve" });
    for (who, path, body) in [
        (&caller, TRANSACTIONS, transfer),
        (&caller, "/api/v1/transactions/batch", batch),
        (&caller, "/api/v1/products", lamp),
        (&api.admin, "/api/v1/users", user),
    ] {
        let first = who.post_once(path, "key-1", &body).await;
        assert!(first.status.is_success() && first.header("idempotency-replayed").is_none(), "{}", first.text);
        let second = who.post_once(path, "\"key-1\"", &body).await;
        assert_eq!(second.header("idempotency-replayed"), Some("true"), "{path}");
        assert_eq!((second.status, second.json()), (first.status, first.json()), "{path}");
        assert_eq!(second.header("location"), first.header("location"), "{path}");
        let text = body.to_string().replace("\"1\"", "\"2\"").replace("Lamp", "Bulb").replace("Eve", "Eva");
        let other: Value = serde_json::from_str(&text).unwrap();
        let third = who.post_once(path, "key-1", &other).await;
        assert_eq!((third.refusal().0, third.refusal().1.as_str()), (409, "idempotency_key_reused"), "{path}");
    }
    let written: i64 = sqlx::query_scalar("select count(*) from app.transaction").fetch_one(&api.pool).await.unwrap();
    assert_eq!(written, 2);
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_have_one_effect() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "GBP" }
    });
    let sent = (0..100).map(|_| caller.post_once(TRANSACTIONS, "same", &transfer));
    let answers: Vec<Answer> = futures::future::join_all(sent).await;
    let first = answers[0].json();
    assert!(answers.iter().all(|answer| answer.status == 202 && answer.json() == first));
    let fresh = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
    assert_eq!(fresh, 1);
    let written: i64 = sqlx::query_scalar("select count(*) from app.transaction").fetch_one(&api.pool).await.unwrap();
    assert_eq!(written, 1);
}

#[tokio::test]
async fn a_transaction_is_accepted_once_by_its_reference_and_found_again() {
    let api = Api::start().await;
    let ((ada, caller), (bob, other)) = (api.customer().await, api.customer().await);
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "reference": "order-1",
        "amount": { "amount": "12.50", "currency": "GBP" }
    });
    let accepted = caller.post(TRANSACTIONS, &transfer).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let transaction = accepted.json();
    assert_eq!((&transaction["status"], &transaction["job_id"]), (&json!("pending"), &transaction["id"]));
    assert_eq!(transaction["amount"], json!({ "amount": "12.50", "currency": "GBP" }));
    let found = caller.get(accepted.header("location").unwrap()).await.json();
    assert_eq!(found, transaction);
    let again = caller.post(TRANSACTIONS, &transfer).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, transaction.clone()));
    let mut changed = transfer.clone();
    changed["amount"]["amount"] = json!("12.51");
    let taken = caller.post(TRANSACTIONS, &changed).await;
    assert_eq!(taken.refusal(), (409, "reference_taken".to_owned(), vec!["/amount reference_taken".to_owned()]));
    assert_eq!(taken.json()["existing_id"], transaction["id"]);
    let of = |query: &str| format!("{TRANSACTIONS}?{query}");
    for (who, path, count) in [
        (&caller, of("reference=order-1"), 1),
        (&other, of("reference=order-1"), 0),
        (&other, of("status=pending"), 1),
        (&caller, of("status=recorded"), 0),
        (&api.admin, of(&format!("account={}", ada.wallet)), 1),
    ] {
        assert_eq!(who.get(&path).await.json()["items"].as_array().unwrap().len(), count, "{path}");
    }
}

#[tokio::test]
async fn only_staff_deposits() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let deposit = json!({ "type": "deposit", "to": ada.wallet.0, "amount": { "amount": "100", "currency": "GBP" } });
    assert_eq!(caller.post(TRANSACTIONS, &deposit).await.refusal().1, "deposit_not_allowed");
    let accepted = api.operator().await.post(TRANSACTIONS, &deposit).await;
    assert_eq!((accepted.status.as_u16(), &accepted.json()["to"]), (202, &json!(ada.wallet.0)), "{}", accepted.text);
}

#[tokio::test]
async fn each_of_a_batch_stands_alone() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let transfer = |from: Uuid, to: Uuid, reference: &str| {
        let amount = json!({ "amount": "1", "currency": "GBP" });
        json!({ "type": "transfer", "from": from, "to": to, "amount": amount, "reference": reference })
    };
    let there = transfer(ada.wallet.0, bob.wallet.0, "there");
    caller.post(TRANSACTIONS, &there).await;
    let fresh = transfer(ada.wallet.0, bob.wallet.0, "fresh");
    let foreign = transfer(bob.wallet.0, ada.wallet.0, "foreign");
    let answer = caller.post("/api/v1/transactions/batch", &json!({ "transactions": [there, fresh, foreign] })).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let result = answer.json();
    let outcomes: Vec<&str> =
        result["items"].as_array().unwrap().iter().map(|item| item["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["exists", "accepted", "refused"]);
    assert_eq!(result["items"][2]["problem"]["code"], "account_not_found");
    assert_eq!(result["items"][2]["problem"]["pointer"], "/from");
    assert_eq!((&result["accepted"], &result["exists"], &result["refused"]), (&json!(1), &json!(1), &json!(1)));
}

#[tokio::test]
async fn a_job_is_followed_by_whoever_caused_it_and_carries_the_trace() {
    let api = Api::start().await;
    let ((ada, caller), (bob, other)) = (api.customer().await, api.customer().await);
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "GBP" }
    });
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("content-type", "application/json"), ("traceparent", trace)];
    let accepted = caller.send(Method::POST, TRANSACTIONS, &headers, transfer.to_string().into_bytes()).await.json();
    let path = format!("/api/v1/jobs/{}", id(&accepted["job_id"]));
    let job = caller.get(&path).await.json();
    assert_eq!((&job["kind"], &job["state"]), (&json!("ledger.record_transaction"), &json!("ready")));
    assert_eq!((api.admin.get(&path).await.status.as_u16(), other.get(&path).await.status.as_u16()), (200, 404));
    let carried: String = sqlx::query_scalar("select trace from queue.job where id = $1")
        .bind(id(&accepted["job_id"]))
        .fetch_one(&api.pool)
        .await
        .unwrap();
    assert_eq!((&carried[..35], &carried[52..]), (&trace[..35], "-01"));
    assert_ne!(carried, trace, "the job follows from our request, and that from its caller");
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let api = Api::start().await;
    for _ in 0..5 {
        api.customer().await;
    }
    let (mut seen, mut path) = (Vec::new(), "/api/v1/users?limit=4".to_owned());
    loop {
        let answer = api.admin.get(&path).await;
        let page = answer.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|user| id(&user["id"])));
        let Some(link) = answer.header("link") else {
            assert_eq!((&page["next_cursor"], &page["has_more"]), (&Value::Null, &json!(false)));
            break;
        };
        path = link.strip_prefix('<').and_then(|link| link.split_once(">; rel=\"next\"")).unwrap().0.to_owned();
        assert!(path.contains(page["next_cursor"].as_str().unwrap()) && path.contains("limit=4"));
    }
    assert_eq!(seen.len(), 6, "five customers and the administrator");
    assert!(seen.is_sorted() && seen.windows(2).all(|pair| pair[0] != pair[1]));
}

#[tokio::test]
async fn who_prefers_to_wait_gets_the_end_of_it() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "GBP" }
    });
    let waiting = |seconds: &str| {
        let (caller, body) = (caller.clone(), transfer.to_string().into_bytes());
        let prefer = format!("wait={seconds}");
        async move {
            let headers = [("content-type", "application/json"), ("prefer", prefer.as_str())];
            caller.send(Method::POST, TRANSACTIONS, &headers, body).await
        }
    };
    let held = tokio::spawn(waiting("20"));
    let pending = loop {
        let found = caller.get(&format!("{TRANSACTIONS}?status=pending")).await.json();
        if let Some(transaction) = found["items"].get(0) {
            break id(&transaction["id"]);
        }
    };
    let verdict = Verdict::Rejected { reason: "insufficient_funds".to_owned() };
    let mut conn = api.pool.acquire().await.unwrap();
    record::settle(&mut conn, 0, &[(TransactionId(pending), verdict)]).await.unwrap();
    let answer = held.await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.header("preference-applied")), (200, Some("wait=20")));
    assert_eq!(
        (&answer.json()["status"], &answer.json()["reason"]),
        (&json!("rejected"), &json!("insufficient_funds"))
    );
    let too_short = waiting("0").await;
    assert_eq!((too_short.status.as_u16(), &too_short.json()["status"]), (202, &json!("pending")));
}

#[tokio::test]
async fn many_requests_share_a_commit() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let amount = json!({ "amount": "1", "currency": "GBP" });
    let transfer = json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": amount });
    let answers = futures::future::join_all((0..200).map(|_| caller.post(TRANSACTIONS, &transfer))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    // `created_at` is the time of the database transaction: as many different ones as commits.
    let commits = "select count(distinct created_at), count(*) from app.transaction";
    let (commits, rows): (i64, i64) = sqlx::query_as(commits).fetch_one(&api.pool).await.unwrap();
    assert_eq!(rows, 200);
    assert!(commits <= 50, "{commits} commits for {rows} requests");
}

#[tokio::test]
async fn the_commit_of_a_transaction_that_comes_alone_wakes_the_workers_itself() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let mut listener = PgListener::connect_with(&api.pool).await.unwrap();
    listener.listen("queue_wake").await.unwrap();
    let transfer = json!({
        "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": { "amount": "1", "currency": "GBP" }
    });
    let accepted = caller.post(TRANSACTIONS, &transfer).await;
    assert_eq!(accepted.status, 202);
    let job = format!("{} {}", RecordTransaction::QUEUE, accepted.json()["id"].as_str().unwrap());
    assert_eq!(told_by(&mut listener, &api.pool).await, (job, "bitnexus api submit".to_owned()));
}
