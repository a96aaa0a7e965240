//! Transactions.

use chrono::{DateTime, Utc};
use domain::transactions::{Leg, Transaction};
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
        /// Takes an earlier transaction back, whole or in part.
        Reversal = "reversal",
        /// Moves between many accounts at once, in one currency or several.
        MultiLeg = "multi_leg",
        /// Ends a hold: what was set aside moves, all or a part of it.
        Post = "post",
        /// Ends a hold: what was set aside is free again.
        Void = "void",
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
        /// A hold: its amounts are set aside.
        Held = "held",
        /// A hold of which a post moved all or a part; the rest is free again.
        Posted = "posted",
        /// A hold that a void freed.
        Voided = "voided",
        /// A hold whose time was over before anything else ended it.
        Expired = "expired",
    }
}

choice! {
    /// Which side of an account a leg is on.
    pub(crate) enum Direction {
        /// It takes from the account.
        Debit = "debit",
        /// It brings to the account.
        Credit = "credit",
    }
}

/// What a transaction does to one account.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Leg")]
pub(crate) struct LegView {
    /// The account.
    pub account: Uuid,
    /// Whether the account is debited or credited.
    pub direction: Direction,
    /// How much: above zero.
    pub amount: MoneyView,
}

impl From<&Leg> for LegView {
    fn from(leg: &Leg) -> LegView {
        let direction = if leg.amount.minor < 0 { Direction::Debit } else { Direction::Credit };
        LegView {
            account: leg.account.0,
            direction,
            amount: MoneyView::of(leg.amount.minor.abs(), leg.amount.currency),
        }
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
    /// The account that is debited; null where `legs` say it.
    pub from: Option<Uuid>,
    /// The account that is credited; null where `legs` say it.
    pub to: Option<Uuid>,
    /// How much; null where `legs` say it.
    pub amount: Option<MoneyView>,
    /// What it does to each account, if it is more than from, to and amount can say.
    pub legs: Option<Vec<LegView>>,
    /// What was bought.
    pub product_id: Option<Uuid>,
    /// How many were bought.
    pub quantity: Option<i32>,
    /// The transaction that it takes back.
    pub reverses: Option<Uuid>,
    /// The hold that it posts or voids.
    pub hold_id: Option<Uuid>,
    /// Whether it is a hold, which sets the amounts aside until it is posted, voided or expires.
    pub is_hold: bool,
    /// From when on the hold can only expire; null: never.
    pub expires_at: Option<DateTime<Utc>>,
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
        let legs: Vec<LegView> = transaction.legs.iter().map(LegView::from).collect();
        let is_plain = legs.is_empty();
        TransactionView {
            id: transaction.id.0,
            kind: Kind::named(transaction.kind.as_str()),
            status: Status::named(transaction.state().as_str()),
            reason: transaction.reason.clone(),
            from: is_plain.then_some(transaction.from.0),
            to: is_plain.then_some(transaction.to.0),
            amount: is_plain.then(|| transaction.amount.into()),
            legs: (!is_plain).then_some(legs),
            product_id: transaction.product_id.map(|product| product.0),
            quantity: transaction.quantity,
            reverses: transaction.reverses.map(|original| original.0),
            hold_id: transaction.resolves.map(|hold| hold.0),
            is_hold: transaction.hold.is_some(),
            expires_at: transaction.hold.and_then(|hold| hold.expires_at),
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
        transactions::State::ALL
            .iter()
            .for_each(|state| assert_eq!(Status::named(state.as_str()).word(), state.as_str()));
    }
}
