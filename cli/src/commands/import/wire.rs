//! The parts of the API's JSON that the import reads.

use serde::Deserialize;
use uuid::Uuid;

/// A page of a list.
#[derive(Debug, Deserialize)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
}

/// A user with their wallets.
#[derive(Debug, Deserialize)]
pub struct User {
    /// Its wallets.
    pub wallets: Vec<Wallet>,
}

impl User {
    /// The wallet in pounds, if there is one.
    pub fn pounds(&self) -> Option<&Wallet> {
        self.wallets.iter().find(|wallet| wallet.currency == "GBP")
    }
}

/// A wallet of a user.
#[derive(Debug, Deserialize)]
pub struct Wallet {
    /// Its account in the ledger.
    pub account_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// `opening` or `open`.
    pub state: String,
}

/// Anything that was created, by its id.
#[derive(Debug, Deserialize)]
pub struct Created {
    /// Its id.
    pub id: Uuid,
}

/// What a batch of transactions came to.
#[derive(Debug, Deserialize)]
pub struct Batch {
    /// One for each transaction, each with its place in the request.
    pub items: Vec<Item>,
}

/// What one transaction of a batch came to.
#[derive(Debug, Deserialize)]
pub struct Item {
    /// Its place in the request.
    pub index: usize,
    /// `accepted`, `exists` or `refused`.
    pub outcome: String,
    /// Unless refused.
    pub transaction: Option<Transaction>,
    /// If refused.
    pub problem: Option<Problem>,
}

/// A transaction.
#[derive(Debug, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub id: Uuid,
    /// `pending`, `recorded` or `rejected`.
    pub status: String,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// An error of the API, or of one item of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// Its stable name.
    pub code: String,
    /// A sentence.
    pub detail: String,
    /// What is there already, when that is the problem.
    pub existing_id: Option<Uuid>,
    /// One for each field that is wrong.
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// Where it stands in the request, such as `/transactions/3/amount`.
    pub pointer: String,
    /// The rule's stable name.
    pub code: String,
    /// A sentence.
    pub detail: String,
}
