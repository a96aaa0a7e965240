//! The whole way, with a worker: wallets opened, money in, money moved, too much refused by the ledger, and the entries.

use jobs::State;
use ledger::keys::SigningKey;
use queue::backend::ConsumerConfig;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use workers::child::{self, ChildConfig};

use super::harness::{Answer, Api, Caller};

/// Runs the jobs of this API's database until the sender is dropped.
pub(super) fn work(api: &Api) -> oneshot::Sender<()> {
    let signing_key = SigningKey::generate("test.example/main").unwrap();
    let registry = jobs::registry(State::of_key(signing_key));
    let config = ChildConfig::new(ConsumerConfig::new(api.pool.clone(), registry));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    tokio::spawn(async move { child::run(config, shutdown).await.unwrap() });
    stop
}

/// Creates a user and returns its wallet's account once it is open.
async fn open_wallet(api: &Api, name: &str) -> String {
    let new = json!({ "email": format!("{name}@example.org"), "name": name });
    let created = api.admin.post("/api/v1/users", &new).await;
    let location = created.header("location").unwrap().to_owned();
    loop {
        let wallet = api.admin.get(&location).await.json()["wallets"][0].take();
        if wallet["state"] == "open" {
            return wallet["account_id"].as_str().unwrap().to_owned();
        }
    }
}

async fn finished(who: &Caller, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("prefer", "wait=30")];
    who.send(Method::POST, "/api/v1/transactions", &headers, body.to_string().into_bytes()).await
}

#[tokio::test]
async fn money_comes_in_moves_and_never_runs_out() {
    let api = Api::start().await;
    let _working = work(&api);
    let (ada, bob) = (open_wallet(&api, "ada").await, open_wallet(&api, "bob").await);
    let pounds = |amount: &str| json!({ "amount": amount, "currency": "GBP" });
    let deposit = finished(&api.admin, &json!({ "type": "deposit", "to": ada, "amount": pounds("100") })).await;
    assert_eq!((deposit.status.as_u16(), &deposit.json()["status"]), (200, &json!("recorded")), "{}", deposit.text);
    let transfer = |amount: &str| json!({ "type": "transfer", "from": ada, "to": bob, "amount": pounds(amount) });
    let moved = finished(&api.admin, &transfer("12.50")).await.json();
    assert_eq!((&moved["status"], &moved["reason"]), (&json!("recorded"), &Value::Null));
    let overdraft = finished(&api.admin, &transfer("87.51")).await;
    assert_eq!(overdraft.status, 200);
    let overdraft = overdraft.json();
    assert_eq!((&overdraft["status"], &overdraft["reason"]), (&json!("rejected"), &json!("insufficient_funds")));
    let taken_back = finished(&api.admin, &json!({ "type": "reversal", "reverses": moved["id"] })).await.json();
    assert_eq!((&taken_back["status"], &taken_back["amount"]), (&json!("recorded"), &pounds("12.50")));
    let twice = finished(&api.admin, &json!({ "type": "reversal", "reverses": moved["id"] })).await.json();
    assert_eq!((&twice["status"], &twice["reason"]), (&json!("rejected"), &json!("already_reversed")));

    let account = api.admin.get(&format!("/api/v1/accounts/{ada}")).await.json();
    assert_eq!((&account["balance"], &account["version"]), (&pounds("100.00"), &json!(3)));
    let path = format!("/api/v1/accounts/{ada}/entries?limit=2");
    let page = api.admin.get(&path).await.json();
    let shown = |page: &Value| -> Vec<(i64, String, String)> {
        let text = |entry: &Value, name: &str| entry[name]["amount"].as_str().unwrap().to_owned();
        let row = |entry: &Value| (entry["version"].as_i64().unwrap(), text(entry, "amount"), text(entry, "balance"));
        page["items"].as_array().unwrap().iter().map(row).collect()
    };
    let row = |version, amount: &str, balance: &str| (version, amount.to_owned(), balance.to_owned());
    assert_eq!(shown(&page), [row(3, "12.50", "100.00"), row(2, "-12.50", "87.50")]);
    let next = api.admin.get(&format!("{path}&after={}", page["next_cursor"].as_str().unwrap())).await.json();
    assert_eq!((shown(&next), &next["has_more"]), (vec![row(1, "100.00", "100.00")], &json!(false)));
    let job = api.admin.get(&format!("/api/v1/jobs/{}", moved["job_id"].as_str().unwrap())).await.json();
    assert_eq!((&job["state"], &job["errors"]), (&json!("succeeded"), &json!([])));
}
