//! Decides whether a request may be accepted: a flat, ordered list of named refusals, without a database.
//!
//! What depends on balances is not decided here: the ledger decides it when it records.

use std::collections::{HashMap, HashSet};

use ledger::{AccountId, Currency, Money, TransactionId};
use uuid::Uuid;

use super::{Kind, NewTransaction, Status, Transaction};
use crate::accounts::Wallet;
use crate::ids::ProductId;
use crate::principal::Principal;

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable name of the reason, in snake case.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub detail: String,
    /// A JSON Pointer to the field, from the transaction's own object.
    pub pointer: &'static str,
    /// The transaction that stands against it.
    pub existing: Option<TransactionId>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It was saved and waits to be recorded.
    Accepted(Transaction),
    /// The caller's transaction of this reference is there already, and is the same.
    Exists(Transaction),
    /// It was not saved.
    Refused(Refusal),
}

/// What the decision needs to know of the database.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The wallets among the accounts that are named.
    pub(super) wallets: HashMap<AccountId, Wallet>,
    /// The book's own accounts.
    pub(super) cash: HashMap<Currency, Wallet>,
    /// The products that are named and exist.
    pub(super) products: HashSet<ProductId>,
    /// The transactions that reversals name.
    pub(super) originals: HashMap<TransactionId, Transaction>,
}

/// A request that may be saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Legs {
    pub(super) from: AccountId,
    pub(super) to: AccountId,
    pub(super) amount: Money,
}

/// The legs of a request that may be accepted.
pub(super) fn decide(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Legs, Refusal> {
    let legs = match new.kind {
        Kind::Reversal => reversed(principal, new, facts)?,
        _ => named(principal, new, facts)?,
    };
    let (from, to) = (wallet(facts, legs.from, "/from")?, wallet(facts, legs.to, "/to")?);
    if !from.is_of(principal) {
        return Err(account_not_found(legs.from, "/from"));
    }
    if to.owner_id.is_none() && !principal.is_staff() && new.kind != Kind::Withdrawal {
        return Err(account_not_found(legs.to, "/to"));
    }
    for (wallet, pointer) in [(from, "/from"), (to, "/to")] {
        if wallet.is_closed {
            let detail = format!("account {} is closed", wallet.account_id);
            return Err(refuse("account_closed", pointer, detail));
        }
        if !wallet.is_open {
            return Err(refuse(
                "account_not_open",
                pointer,
                format!("account {} is still being opened", wallet.account_id),
            ));
        }
        if wallet.currency != legs.amount.currency {
            let (held, asked) = (wallet.currency.code(), legs.amount.currency.code());
            let detail = format!("account {} holds {held}, not {asked}", wallet.account_id);
            return Err(refuse("currency_mismatch", "/amount/currency", detail));
        }
    }
    if let Some(product) = new.product_id.filter(|product| !facts.products.contains(product)) {
        return Err(refuse("product_not_found", "/product_id", format!("there is no product {product}")));
    }
    Ok(legs)
}

/// The legs that a request names, with the book's cash account where it stands for the outside world.
fn named(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Legs, Refusal> {
    let amount = new.amount.expect("validated: every kind but a reversal has an amount");
    if new.kind == Kind::Deposit && !principal.is_staff() {
        return Err(refuse("deposit_not_allowed", "/type", "only an operator or an administrator deposits".to_owned()));
    }
    let cash = || {
        let detail = format!("there is no cash account in {}", amount.currency.code());
        let found = facts.cash.get(&amount.currency).map(|wallet| wallet.account_id);
        found.ok_or_else(|| refuse("currency_not_offered", "/amount/currency", detail))
    };
    let from = new.from.map_or_else(cash, Ok)?;
    let to = new.to.map_or_else(cash, Ok)?;
    Ok(Legs { from, to, amount })
}

/// The original's legs the other way round.
fn reversed(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Legs, Refusal> {
    let id = new.reverses.expect("validated: a reversal names its original");
    let missing = || refuse("original_not_found", "/reverses", format!("there is no transaction {id}"));
    let original = facts.originals.get(&id).ok_or_else(missing)?;
    // Whoever got the money may give it back; to everybody else it does not exist.
    if !facts.wallets.get(&original.to).is_some_and(|wallet| wallet.is_of(principal)) {
        return Err(missing());
    }
    if original.status == Status::Rejected {
        return Err(refuse(
            "original_rejected",
            "/reverses",
            format!("transaction {id} was rejected and moved nothing"),
        ));
    }
    if original.kind == Kind::Reversal {
        return Err(refuse("not_reversible", "/reverses", format!("transaction {id} is itself a reversal")));
    }
    Ok(Legs { from: original.to, to: original.from, amount: original.amount })
}

fn wallet<'a>(facts: &'a Facts, account: AccountId, pointer: &'static str) -> Result<&'a Wallet, Refusal> {
    let own = facts.cash.values().find(|wallet| wallet.account_id == account);
    facts.wallets.get(&account).or(own).ok_or_else(|| account_not_found(account, pointer))
}

fn account_not_found(account: AccountId, pointer: &'static str) -> Refusal {
    refuse("account_not_found", pointer, format!("there is no account {account}"))
}

fn refuse(code: &'static str, pointer: &'static str, detail: String) -> Refusal {
    Refusal { code, detail, pointer, existing: None }
}

/// What a request is told whose reference the caller has used before.
pub(super) fn repeated(new: &NewTransaction, existing: &Transaction) -> Decision {
    let differs = [
        (new.kind != existing.kind, "/type"),
        (new.from.is_some_and(|from| from != existing.from), "/from"),
        (new.to.is_some_and(|to| to != existing.to), "/to"),
        (new.amount.is_some_and(|amount| amount != existing.amount), "/amount"),
        (new.product_id != existing.product_id, "/product_id"),
        (new.quantity != existing.quantity, "/quantity"),
        (new.reverses != existing.reverses, "/reverses"),
        (new.description != existing.description, "/description"),
        (new.effective_at.is_some_and(|at| at != existing.effective_at), "/effective_at"),
    ];
    let Some((_, pointer)) = differs.into_iter().find(|(differs, _)| *differs) else {
        return Decision::Exists(existing.clone());
    };
    let detail = format!("transaction {} of this reference has another {}", existing.id, &pointer[1..]);
    Decision::Refused(Refusal { code: "reference_taken", detail, pointer, existing: Some(existing.id) })
}

/// The accounts, products and originals that requests name.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) accounts: Vec<AccountId>,
    pub(super) products: Vec<Uuid>,
    pub(super) originals: Vec<TransactionId>,
}

impl Named {
    pub(super) fn of<'a>(requests: impl Iterator<Item = &'a NewTransaction>) -> Named {
        let mut named = Named::default();
        for new in requests {
            named.accounts.extend(new.from.into_iter().chain(new.to));
            named.products.extend(new.product_id.map(|product| product.0));
            named.originals.extend(new.reverses);
        }
        named
    }
}
