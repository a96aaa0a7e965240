//! Transactions.

use chrono::{DateTime, Utc};
use domain::transactions::Transaction;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::money::MoneyView;
use crate::body::choice::{Choice, choice};

choice! {
    /// What a transaction is for.
    pub(crate) enum Kind {
        /// From one wallet to another.
        Transfer = "transfer",
        /// From the outside world into a wallet.
        Deposit = "deposit",
        /// From a wallet to the outside world.
        Withdrawal = "withdrawal",
        /// A customer pays a seller.
        Purchase = "purchase",
        /// A seller pays a customer back.
        Refund = "refund",
        /// Takes an earlier transaction back whole.
        Reversal = "reversal",
    }
}

choice! {
    /// How far a transaction has come.
    pub(crate) enum Status {
        /// Accepted; its job is on the way.
        Pending = "pending",
        /// In the ledger, for ever.
        Recorded = "recorded",
        /// The ledger refused it, for ever.
        Rejected = "rejected",
    }
}

/// What was asked for, and what became of it.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Transaction")]
pub(crate) struct TransactionView {
    /// Its identifier; its job has the same.
    pub id: Uuid,
    /// What it is for.
    #[oai(rename = "type")]
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How far it has come.
    pub status: Status,
    /// Why the ledger refused it, as a stable word such as `insufficient_funds`.
    pub reason: Option<String>,
    /// The account that is debited.
    pub from: Uuid,
    /// The account that is credited.
    pub to: Uuid,
    /// How much.
    pub amount: MoneyView,
    /// What was bought.
    pub product_id: Option<Uuid>,
    /// How many were bought.
    pub quantity: Option<i32>,
    /// The transaction that it takes back.
    pub reverses: Option<Uuid>,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The caller's own words.
    pub description: Option<String>,
    /// Its place in the ledger's log.
    pub seq: Option<i64>,
    /// When it counts, by the caller.
    pub effective_at: DateTime<Utc>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When the ledger recorded it.
    pub recorded_at: Option<DateTime<Utc>>,
    /// Who asked.
    pub created_by: Uuid,
    /// The job that records it, as in `/api/v1/jobs/{id}`.
    pub job_id: Uuid,
}

impl From<&Transaction> for TransactionView {
    fn from(transaction: &Transaction) -> TransactionView {
        TransactionView {
            id: transaction.id.0,
            kind: Kind::named(transaction.kind.as_str()),
            status: Status::named(transaction.status.as_str()),
            reason: transaction.reason.clone(),
            from: transaction.from.0,
            to: transaction.to.0,
            amount: transaction.amount.into(),
            product_id: transaction.product_id.map(|product| product.0),
            quantity: transaction.quantity,
            reverses: transaction.reverses.map(|original| original.0),
            reference: transaction.reference.clone(),
            description: transaction.description.clone(),
            seq: transaction.seq,
            effective_at: transaction.effective_at,
            created_at: transaction.created_at,
            recorded_at: transaction.recorded_at,
            created_by: transaction.created_by.0,
            job_id: transaction.id.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::transactions;

    use super::*;

    #[test]
    fn the_api_has_a_word_for_each_of_the_domain() {
        transactions::Kind::ALL.iter().for_each(|kind| assert_eq!(Kind::named(kind.as_str()).word(), kind.as_str()));
        transactions::Status::ALL
            .iter()
            .for_each(|status| assert_eq!(Status::named(status.as_str()).word(), status.as_str()));
    }
}
