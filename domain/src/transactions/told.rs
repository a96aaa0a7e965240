//! What followers are told of transactions and of the balances that they change.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use ledger::posting::AccountNow;
use ledger::{AccountId, Act, Currency, Money, TransactionId};
use serde::Serialize;
use uuid::Uuid;

use super::record::{ToRecord, Verdict};
use super::{Kind, Leg, Transaction};
use crate::accounts::Wallet;
use crate::events::{Amount, Event, topic};
use crate::ids::UserId;

/// Who owns which account, as far as users do.
pub type OwnerOf = HashMap<AccountId, UserId>;

/// The payload of what is told of a transaction.
#[derive(Serialize)]
struct Facts {
    v: u8,
    transaction_id: Uuid,
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    status: &'static str,
    from: Uuid,
    to: Uuid,
    amount: Amount,
    /// All of them, where they are more than from, to and amount tell.
    legs: Vec<LegFacts>,
    /// The transaction that it takes back.
    reverses: Option<Uuid>,
    /// The hold that it ends.
    resolves: Option<Uuid>,
    seq: Option<i64>,
    recorded_at: Option<DateTime<Utc>>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct LegFacts {
    account: Uuid,
    amount: Amount,
}

fn legs(legs: &[Leg]) -> Vec<LegFacts> {
    legs.iter().map(|leg| LegFacts { account: leg.account.0, amount: leg.amount.into() }).collect()
}

/// The payload of what another transaction did to one.
#[derive(Serialize)]
struct Followed {
    v: u8,
    transaction_id: Uuid,
    /// The transaction that did it.
    by: Uuid,
    /// Whether an amount of its own and not the whole.
    is_part: bool,
    seq: i64,
    recorded_at: DateTime<Utc>,
}

/// Its own topic, and those of the users whose accounts take part.
fn topics(
    id: Uuid,
    accounts: impl Iterator<Item = AccountId>,
    owner: impl Fn(AccountId) -> Option<UserId>,
) -> Vec<String> {
    let owners: BTreeSet<Uuid> = accounts.filter_map(owner).map(|owner| owner.0).collect();
    std::iter::once(topic::transaction(id)).chain(owners.into_iter().map(topic::user)).collect()
}

/// That a transaction was accepted, in the commit that saves it.
pub(super) fn accepted(transaction: &Transaction, wallets: &HashMap<AccountId, Wallet>) -> Event {
    let id = transaction.id.0;
    let facts = Facts {
        v: 1,
        transaction_id: id,
        kind: Some(transaction.kind.as_str()),
        status: "pending",
        from: transaction.from.0,
        to: transaction.to.0,
        amount: transaction.amount.into(),
        legs: legs(&transaction.legs),
        reverses: transaction.reverses.map(|original| original.0),
        resolves: transaction.resolves.map(|hold| hold.0),
        seq: None,
        recorded_at: None,
        reason: None,
    };
    let accounts = transaction.legs.iter().map(|leg| leg.account).chain([transaction.from, transaction.to]);
    let owner = |account| wallets.get(&account).and_then(|wallet: &Wallet| wallet.owner_id);
    Event::new("transaction.accepted", topics(id, accounts, owner), &facts)
}

/// The accounts that take part in a transaction.
pub fn accounts_of(wanted: &ToRecord) -> impl Iterator<Item = AccountId> {
    wanted.legs.iter().map(|leg| leg.account).chain([wanted.from, wanted.to])
}

/// What the ledger decided of a transaction, and what that did to the one that it follows from.
pub fn decided(wanted: &ToRecord, verdict: &Verdict, owners: &OwnerOf) -> Vec<Event> {
    let id = wanted.posting.id.0;
    let act = wanted.posting.act;
    let recorded = if matches!(act, Act::Hold { .. }) {
        ("transaction.held", "held")
    } else {
        ("transaction.recorded", "recorded")
    };
    let ((kind, status), seq, recorded_at, reason) = match verdict {
        Verdict::Recorded { seq, recorded_at } => (recorded, Some(*seq), Some(*recorded_at), None),
        Verdict::Rejected { reason } => (("transaction.rejected", "rejected"), None, None, Some(reason.clone())),
    };
    let currency = Currency::parse(&wanted.currency).expect("only known currencies are written");
    let facts = Facts {
        v: 1,
        transaction_id: id,
        kind: Kind::of_code(wanted.posting.code).map(Kind::as_str),
        status,
        from: wanted.from.0,
        to: wanted.to.0,
        amount: Money { minor: i128::from(wanted.amount), currency }.into(),
        legs: legs(&wanted.legs),
        reverses: act.reverses().or(act.reverses_part()).map(|original| original.0),
        resolves: act.resolves().map(|hold| hold.0),
        seq,
        recorded_at,
        reason,
    };
    let to = |id| topics(id, accounts_of(wanted), |account| owners.get(&account).copied());
    let mut events = vec![Event::new(kind, to(id), &facts)];
    if let (Some((kind, other)), Verdict::Recorded { seq, recorded_at }) = (followed(act), verdict) {
        let is_part = act.reverses_part().is_some();
        let facts = Followed { v: 1, transaction_id: other.0, by: id, is_part, seq: *seq, recorded_at: *recorded_at };
        events.push(Event::new(kind, to(other.0), &facts));
    }
    events
}

/// What an act does to another transaction.
fn followed(act: Act) -> Option<(&'static str, TransactionId)> {
    match act {
        Act::Capture(hold) => Some(("transaction.posted", hold)),
        Act::Void(hold) => Some(("transaction.voided", hold)),
        _ => act.reverses().or(act.reverses_part()).map(|original| ("transaction.reversed", original)),
    }
}

/// That a hold's time was over before anything else ended it.
pub fn expired(hold: &Transaction, ended: &ledger::holds::Ended, owners: &OwnerOf) -> Event {
    let id = hold.id.0;
    let by = ledger::holds::expiry_id(hold.id).0;
    let facts =
        Followed { v: 1, transaction_id: id, by, is_part: false, seq: ended.seq, recorded_at: ended.recorded_at };
    let accounts = hold.legs.iter().map(|leg| leg.account).chain([hold.from, hold.to]);
    Event::new("transaction.expired", topics(id, accounts, |account| owners.get(&account).copied()), &facts)
}

/// The payload of a changed balance.
#[derive(Serialize)]
struct BalanceFacts {
    v: u8,
    account_id: Uuid,
    balance: Amount,
    /// What open holds would take, of the balance.
    held_out: Amount,
    /// What open holds would bring.
    held_in: Amount,
    /// The number of the account's last entry.
    version: i64,
}

/// How accounts of users are after a commit: one event for each, however many transactions changed it.
pub fn balances(accounts: &[AccountNow], owners: &OwnerOf) -> Vec<Event> {
    let event = |now: &AccountNow| {
        let owner = owners.get(&now.account)?;
        let of = |minor: i64| Money { minor: i128::from(minor), ..now.balance }.into();
        let facts = BalanceFacts {
            v: 1,
            account_id: now.account.0,
            balance: now.balance.into(),
            held_out: of(now.held_out),
            held_in: of(now.held_in),
            version: now.version,
        };
        Some(Event::new("balance.changed", [topic::user(owner.0)], &facts))
    };
    accounts.iter().filter_map(event).collect()
}
