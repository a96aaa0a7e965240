//! A bit of everything, for as long as a test looks: users, transactions accepted and refused, a reconciliation, a tick.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tests::service::Service;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How many clients send transactions at once.
const CLIENTS: usize = 2;

/// Somebody who calls the API with a token.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Client {
    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token).json(body);
        // Under load an answer may be a refusal; that is part of what is watched.
        match request.header("Prefer", "wait=20").send().await {
            Ok(answer) => answer.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }
}

/// The load, until it is dropped.
pub(super) struct Load {
    ended: Arc<AtomicBool>,
    _clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Makes what is needed once, and sends transactions from then on.
    pub(super) async fn start(service: &Service) -> Load {
        let admin = Client { http: reqwest::Client::new(), url: service.url.clone(), token: service.key.clone() };
        let password = "correct horse battery staple";
        let user = json!({ "email": "ada@example.org", "name": "Ada", "currencies": ["GBP"], "password": password });
        let user = admin.post("/users", &user).await;
        let wallet = user["wallets"][0]["account_id"].as_str().unwrap_or_else(|| panic!("{user}")).to_owned();
        let session = json!({ "email": "ada@example.org", "password": password });
        let session = admin.post("/sessions", &session).await;
        let token = session["token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        let ada = Client { token, ..admin.clone() };
        admin.post("/schedules/ledger.reconcile.incremental/run", &json!({})).await;
        let ended = Arc::new(AtomicBool::new(false));
        let clients =
            (0..CLIENTS).map(|_| tokio::spawn(send(admin.clone(), ada.clone(), wallet.clone(), ended.clone())));
        Load { _clients: clients.collect(), ended }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// A deposit that is recorded, a withdrawal that the ledger refuses, a job that is discarded, and a look at oneself.
async fn send(admin: Client, ada: Client, wallet: String, ended: Arc<AtomicBool>) {
    let amount = |amount: &str| json!({ "amount": amount, "currency": "GBP" });
    let deposit = json!({ "type": "deposit", "to": wallet, "amount": amount("1.00") });
    let too_much = json!({ "type": "withdrawal", "from": wallet, "amount": amount("9999999.00") });
    let nobody = json!({ "shard": 0, "book_id": 1, "user_id": Uuid::nil() });
    let pointless = json!({ "kind": "accounts.erase", "payload": nobody });
    while !ended.load(Ordering::Relaxed) {
        admin.post("/transactions", &deposit).await;
        admin.post("/transactions", &too_much).await;
        admin.post("/jobs", &pointless).await;
        let me = ada.http.get(format!("{}/api/v1/users/me", ada.url)).bearer_auth(&ada.token).send().await;
        drop(me);
    }
}
