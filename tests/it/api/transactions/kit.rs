//! An API with a worker, customers with money, and short words for what they ask.

use chrono::{DateTime, Utc};
use domain::accounts::wallets;
use ledger::accounts::{NewAccount, Overdraft};
use ledger::{AccountId, Book, Currency};
use reqwest::Method;
use serde_json::{Value, json};
use tests::people::{self, Person};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::harness::{Answer, Api, Caller};
use super::super::recorded::work;

pub(in crate::api) const TRANSACTIONS: &str = "/api/v1/transactions";

/// An API and the worker that records what it accepts.
pub(in crate::api) struct Stage {
    pub(in crate::api) api: Api,
    _working: oneshot::Sender<()>,
}

/// Somebody with a wallet.
pub(in crate::api) struct Customer {
    pub(in crate::api) caller: Caller,
    pub(in crate::api) person: Person,
    pub(in crate::api) wallet: Uuid,
}

impl Stage {
    pub(in crate::api) async fn start() -> Stage {
        let api = Api::start().await;
        let working = work(&api);
        Stage { api, _working: working }
    }

    /// A customer with so many pounds.
    pub(in crate::api) async fn customer(&self, pounds_in: u32) -> Customer {
        self.customer_in(Currency::GBP, pounds_in).await
    }

    /// A customer with so much of a currency.
    pub(in crate::api) async fn customer_in(&self, currency: Currency, amount: u32) -> Customer {
        let person = people::customer(&self.api.pool, &self.api.principal, currency).await;
        let caller = self.api.caller(&person.principal).await;
        if amount > 0 {
            let amount = json!({ "amount": amount.to_string(), "currency": currency.code() });
            let deposit = json!({ "type": "deposit", "to": person.wallet.0, "amount": amount });
            recorded(&finish(&self.api.admin, TRANSACTIONS, &deposit).await);
        }
        Customer { caller, person, wallet: person.wallet.0 }
    }

    /// Opens one more wallet for somebody.
    pub(in crate::api) async fn wallet(&self, of: &Person, currency: Currency) -> Uuid {
        let id = Uuid::now_v7();
        let statement =
            "insert into app.wallet (account_id, owner_id, purpose, currency) values ($1, $2, 'wallet', $3)";
        let statement = sqlx::query(statement).bind(id).bind(of.principal.user_id.0).bind(currency.code());
        statement.execute(&self.api.pool).await.unwrap();
        let mut tx = self.api.pool.begin().await.unwrap();
        let overdraft = Overdraft::Forbidden;
        let account = NewAccount { id: AccountId(id), currency, overdraft, code: 0, group: None };
        ledger::accounts::open(&mut tx, Book::MAIN, &[account]).await.unwrap();
        wallets::mark_open(&mut tx, Book::MAIN, &[AccountId(id)]).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The database's clock.
    pub(in crate::api) async fn now(&self) -> DateTime<Utc> {
        sqlx::query_scalar("select now()").fetch_one(&self.api.pool).await.unwrap()
    }

    /// What an account has, and how much of it is held.
    pub(in crate::api) async fn funds(&self, account: Uuid) -> (String, String) {
        let account = self.api.admin.get(&format!("/api/v1/accounts/{account}")).await.json();
        let text = |name: &str| account[name]["amount"].as_str().unwrap().to_owned();
        (text("balance"), text("held"))
    }
}

pub(in crate::api) fn pounds(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "GBP" })
}

pub(in crate::api) fn transfer(from: &Customer, to: &Customer, amount: &str) -> Value {
    json!({ "type": "transfer", "from": from.wallet, "to": to.wallet, "amount": pounds(amount) })
}

/// The request with one more field.
pub(in crate::api) fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// Sends a request and waits until the ledger has decided.
pub(in crate::api) async fn finish(who: &Caller, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("prefer", "wait=30")];
    let answer = who.send(Method::POST, path, &headers, body.to_string().into_bytes()).await;
    let is_problem = answer.status.is_client_error();
    assert!(
        is_problem || (answer.header("preference-applied"), answer.header("vary")) == (Some("wait=30"), Some("Prefer"))
    );
    answer
}

/// The transaction of an answer that says it is in the ledger.
pub(in crate::api) fn recorded(answer: &Answer) -> Value {
    let transaction = answer.json();
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!["pending", "rejected"].contains(&transaction["status"].as_str().unwrap()), "{}", answer.text);
    transaction
}

/// The reason of an answer that says that the ledger refused it.
pub(in crate::api) fn rejected(answer: &Answer) -> String {
    let transaction = answer.json();
    assert_eq!((answer.status.as_u16(), &transaction["status"]), (200, &json!("rejected")), "{}", answer.text);
    transaction["reason"].as_str().unwrap().to_owned()
}

/// The code of a refusal, and where it points.
pub(in crate::api) fn refused(answer: &Answer) -> (u16, String, Vec<String>) {
    answer.refusal()
}

/// What is under a transaction.
pub(in crate::api) fn under(transaction: &Value, what: &str) -> String {
    format!("{TRANSACTIONS}/{}/{what}", transaction["id"].as_str().unwrap())
}
