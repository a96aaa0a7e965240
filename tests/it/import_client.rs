//! How the importer takes what a service under trouble answers, or something that is no such service.

use std::time::{Duration, Instant};

use cli::commands::import::client::Client;
use cli::commands::import::orders::{Fate, Order, Pace, carry_out};
use indicatif::ProgressBar;
use jobs::webhooks::client::certificates;
use serde_json::json;
use tests::certificate;
use tests::scripted::{Scripted, answer};

const ID: &str = "0193a000-0000-7000-8000-000000000001";

fn client(server: &Scripted) -> Client {
    Client::new(&server.url, Vec::new(), "bnx_live_x", Some(Duration::from_secs(20))).unwrap()
}

#[tokio::test]
async fn it_tries_again_until_there_is_an_answer() {
    let ok = answer("201 Created", "", "{}");
    let cut_off = ok.replace("{}", "{").to_string();
    let script = vec![
        String::new(),
        answer("503 Service Unavailable", "", ""),
        answer("500 Internal Server Error", "", ""),
        answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
        cut_off,
        ok,
    ];
    let server = Scripted::start(script).await;
    let started = Instant::now();
    let answer = client(&server).post("users", &json!({"a": 1})).await.unwrap();
    assert_eq!(answer.status, 201);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After is kept");
    assert_eq!(server.seen(), vec![r#"POST /api/v1/users {"a":1}"#; 6]);
}

#[tokio::test]
async fn it_gives_up_with_one_line_that_says_why() {
    let server = Scripted::start(vec![answer("503 Service Unavailable", "", "")]).await;
    let client = Client::new(&server.url, Vec::new(), "k", Some(Duration::ZERO)).unwrap();
    let error = client.post("users", &json!({})).await.unwrap_err().to_string();
    assert!(error.contains(&server.url) && error.ends_with("it answered 503 Service Unavailable"), "{error}");
}

/// The first call gives up sooner than the others, unless it is said how long to try.
#[tokio::test]
async fn the_first_call_tries_for_as_long_as_it_is_told() {
    let busy = answer("503 Service Unavailable", "retry-after: 2\r\n", "");
    let script = vec![busy.clone(), busy.clone(), busy, answer("200 OK", "", "{}")];
    let server = Scripted::start(script.clone()).await;
    client(&server).greet().await.unwrap();
    assert_eq!(server.seen().len(), 4);
    let server = Scripted::start(script).await;
    let error = Client::new(&server.url, Vec::new(), "k", None).unwrap().greet().await.unwrap_err().to_string();
    assert!(error.contains("after trying for 5 s"), "{error}");
}

#[tokio::test]
async fn a_wrong_key_or_address_is_told_at_once() {
    let table = [
        (answer("401 Unauthorized", "", "{}"), "does not know this key"),
        (answer("403 Forbidden", "", "{}"), "it has to be an administrator's"),
        (answer("404 Not Found", "", "<html>"), "it answered 404 Not Found"),
        (answer("200 OK", "", "<html>"), "there is no BitNexus API"),
    ];
    for (script, expected) in table {
        let server = Scripted::start(vec![script]).await;
        let error = client(&server).greet().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn by_https_the_certificate_is_believed_if_its_authority_is() {
    let folder = tempfile::tempdir().unwrap();
    if !certificate::make(folder.path(), "localhost") {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let server = Scripted::start(vec![answer("200 OK", "", "{}")]).await;
    let url = certificate::front(folder.path(), &server.url).await;
    let other = Client::new(&url, Vec::new(), "k", Some(Duration::ZERO)).unwrap();
    let error = other.greet().await.unwrap_err().to_string();
    assert!(error.contains(&url) && error.contains("UnknownIssuer"), "{error}");
    let authorities = certificates(&folder.path().join("certificate.pem")).unwrap();
    Client::new(&url, authorities, "k", Some(Duration::ZERO)).unwrap().greet().await.unwrap();
}

#[tokio::test]
async fn an_invalid_item_is_refused_alone_and_the_rest_followed_to_its_end() {
    let item = |index: u32, outcome: &str, status: &str| json!({"index": index, "outcome": outcome, "transaction": {"id": ID, "status": status, "reason": "why"}});
    let problem = json!({"errors": [{"pointer": "/transactions/1/amount", "code": "too_many_decimals"}]});
    let first = [
        item(0, "accepted", "pending"),
        item(1, "exists", "recorded"),
        json!({"index": 2, "outcome": "refused", "problem": {"code": "account_not_found"}}),
        item(3, "accepted", "pending"),
    ];
    let script = vec![
        answer("422 Unprocessable Entity", "", &problem.to_string()),
        answer("202 Accepted", "", &json!({"items": first}).to_string()),
        answer(
            "202 Accepted",
            "",
            &json!({"items": [item(0, "exists", "pending"), item(1, "exists", "rejected")]}).to_string(),
        ),
        answer("202 Accepted", "", &json!({"items": [item(0, "exists", "recorded")]}).to_string()),
    ];
    let server = Scripted::start(script).await;
    let mut orders: Vec<Order> = (0..5).map(|number| Order::new(number, json!(number))).collect();
    let pace = Pace { batch: 10, in_flight: 2 };
    carry_out(&client(&server), &mut orders, pace, &ProgressBar::hidden()).await.unwrap();
    let id = ID.parse().unwrap();
    let fates: Vec<Fate> = orders.iter().map(|order| order.fate.clone()).collect();
    let expected = [
        Fate::Recorded(id),
        Fate::Refused("too_many_decimals".to_owned()),
        Fate::Recorded(id),
        Fate::Refused("account_not_found".to_owned()),
        Fate::Rejected(id, "why".to_owned()),
    ];
    assert_eq!(fates, expected);
    assert_eq!(orders.iter().map(|order| order.existed).collect::<Vec<_>>(), [false, false, true, false, false]);
    let bodies: Vec<String> = ["0,1,2,3,4", "0,2,3,4", "0,4", "0"]
        .map(|ids| format!("POST /api/v1/transactions/batch {{\"transactions\":[{ids}]}}"))
        .into();
    assert_eq!(server.seen(), bodies);
}
