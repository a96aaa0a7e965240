//! Decides whether a request may be accepted: a flat, ordered list of named refusals, without a database.
//!
//! What depends on balances is not decided here: the ledger decides it when it records.

use std::borrow::Cow;
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger::{AccountId, Currency, Money, TransactionId};
use uuid::Uuid;

use super::legs::{self, Leg};
use super::sell::{self, Offer};
use super::{Kind, NewTransaction, Transaction, resolve};
use crate::accounts::Wallet;
use crate::ids::{ProductId, UserId};
use crate::principal::Principal;

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable name of the reason, in snake case.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub detail: String,
    /// A JSON Pointer to the field, from the transaction's own object.
    pub pointer: Cow<'static, str>,
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
    pub(super) products: HashMap<ProductId, Offer>,
    /// The wallets of those who sell the products that are bought at their price.
    pub(super) sellers: HashMap<(UserId, Currency), Wallet>,
    /// The transactions that reversals, posts and voids name.
    pub(super) originals: HashMap<TransactionId, Transaction>,
}

/// What is done beside moving the amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// They are set aside.
    Hold { expires_at: Option<DateTime<Utc>> },
    /// They are a part of what the transaction follows from.
    Part,
}

/// What a request that may be saved comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    pub(super) from: AccountId,
    pub(super) to: AccountId,
    pub(super) amount: Money,
    /// All of its legs, if the three above do not tell them.
    pub(super) legs: Vec<Leg>,
    pub(super) quantity: Option<i32>,
    pub(super) act: Option<Act>,
}

impl Movement {
    /// Whatever the request says of it beside these three.
    pub(super) fn of(new: &NewTransaction, from: AccountId, to: AccountId, amount: Money) -> Movement {
        let act = new.hold.map(|hold| Act::Hold { expires_at: hold.expires_at });
        Movement { from, to, amount, legs: Vec::new(), quantity: new.quantity, act }
    }
}

/// What a request that may be accepted comes to.
pub(super) fn decide(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Movement, Refusal> {
    let movement = match new.kind {
        // What a hold may be ended by is said with the hold.
        Kind::Post | Kind::Void => return resolve::end(principal, new, facts),
        Kind::Reversal => resolve::reverse(principal, new, facts)?,
        Kind::MultiLeg => several(new),
        Kind::Purchase if new.is_by_price() => sell::sale(principal, new, facts)?,
        _ => named(principal, new, facts)?,
    };
    check_accounts(principal, new, facts, &movement)?;
    if let Some(product) = new.product_id.filter(|product| !facts.products.contains_key(product)) {
        return Err(refuse("product_not_found", "/product_id", format!("there is no product {product}")));
    }
    Ok(movement)
}

/// Every account is there, may be used so by the caller, is open and holds the currency.
fn check_accounts(
    principal: &Principal,
    new: &NewTransaction,
    facts: &Facts,
    movement: &Movement,
) -> Result<(), Refusal> {
    let two = legs::two(movement.from, movement.to, movement.amount);
    let legs = if movement.legs.is_empty() { &two[..] } else { &movement.legs };
    let at = |index: usize| match (movement.legs.is_empty(), index) {
        (true, 0) => "/from".into(),
        (true, _) => "/to".into(),
        (false, _) if new.legs.is_empty() => "/reverses".into(),
        (false, index) => Cow::Owned(format!("/legs/{index}/account")),
    };
    let wallet = |(index, leg): (usize, &Leg)| {
        let found = facts.wallets.get(&leg.account).or_else(|| facts.cash.get(&leg.amount.currency));
        found.filter(|wallet| wallet.account_id == leg.account).ok_or_else(|| account_not_found(leg.account, at(index)))
    };
    let wallets: Vec<&Wallet> = legs.iter().enumerate().map(wallet).collect::<Result<_, _>>()?;
    for (index, (leg, wallet)) in legs.iter().zip(&wallets).enumerate() {
        let may = if leg.amount.minor < 0 {
            wallet.is_of(principal)
        } else {
            wallet.owner_id.is_some() || principal.is_staff() || new.kind == Kind::Withdrawal
        };
        if !may {
            return Err(account_not_found(leg.account, at(index)));
        }
    }
    for (index, (leg, wallet)) in legs.iter().zip(wallets).enumerate() {
        if wallet.is_closed {
            return Err(refuse("account_closed", at(index), format!("account {} is closed", wallet.account_id)));
        }
        if !wallet.is_open {
            let detail = format!("account {} is still being opened", wallet.account_id);
            return Err(refuse("account_not_open", at(index), detail));
        }
        if wallet.currency != leg.amount.currency {
            let (held, asked) = (wallet.currency.code(), leg.amount.currency.code());
            let detail = format!("account {} holds {held}, not {asked}", wallet.account_id);
            let pointer = match new.legs.is_empty() {
                true => "/amount/currency".into(),
                false => Cow::Owned(format!("/legs/{index}/amount/currency")),
            };
            return Err(refuse("currency_mismatch", pointer, detail));
        }
    }
    Ok(())
}

/// What a request names, with the book's cash account where it stands for the outside world.
fn named(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Movement, Refusal> {
    let amount = new.amount.expect("validated: every kind that comes here has an amount");
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
    Ok(Movement::of(new, from, to, amount))
}

/// The legs that a request names.
fn several(new: &NewTransaction) -> Movement {
    let debited = new.legs.iter().find(|leg| leg.amount.minor < 0).expect("validated: the legs are balanced");
    let credited = new.legs.iter().find(|leg| leg.amount.minor > 0).expect("validated: the legs are balanced");
    let movement = Movement::of(new, debited.account, credited.account, debited.turned().amount);
    Movement { legs: new.legs.clone(), ..movement }
}

fn account_not_found(account: AccountId, pointer: Cow<'static, str>) -> Refusal {
    refuse("account_not_found", pointer, format!("there is no account {account}"))
}

pub(super) fn refuse(code: &'static str, pointer: impl Into<Cow<'static, str>>, detail: String) -> Refusal {
    Refusal { code, detail, pointer: pointer.into(), existing: None }
}

/// What a request is told whose reference the caller has used before.
pub(super) fn repeated(new: &NewTransaction, existing: &Transaction) -> Decision {
    let is_other_quantity = match new.quantity {
        Some(quantity) => existing.quantity != Some(quantity),
        // One, if the product's price was paid.
        None => existing.quantity.is_some_and(|quantity| !new.is_by_price() || quantity != 1),
    };
    let may_be_part = matches!(new.kind, Kind::Reversal | Kind::Post);
    let expires_at = |transaction: &Transaction| transaction.hold.map(|hold| hold.expires_at);
    let differs = [
        (new.kind != existing.kind, "/type"),
        (new.from.is_some_and(|from| from != existing.from), "/from"),
        (new.to.is_some_and(|to| to != existing.to), "/to"),
        (new.amount.is_some_and(|amount| amount != existing.amount), "/amount"),
        (may_be_part && new.amount.is_some() != existing.is_part, "/amount"),
        (new.kind == Kind::MultiLeg && new.legs != existing.legs, "/legs"),
        (new.product_id != existing.product_id, "/product_id"),
        (is_other_quantity, "/quantity"),
        (new.reverses != existing.reverses, "/reverses"),
        (new.resolves != existing.resolves, "/hold_id"),
        (new.hold.map(|hold| hold.expires_at) != expires_at(existing), "/hold"),
        (new.description != existing.description, "/description"),
        (new.effective_at.is_some_and(|at| at != existing.effective_at), "/effective_at"),
    ];
    let Some((_, pointer)) = differs.into_iter().find(|(differs, _)| *differs) else {
        return Decision::Exists(existing.clone());
    };
    let detail = format!("transaction {} of this reference has another {}", existing.id, &pointer[1..]);
    Decision::Refused(Refusal { existing: Some(existing.id), ..refuse("reference_taken", pointer, detail) })
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
            named.accounts.extend(new.legs.iter().map(|leg| leg.account));
            named.products.extend(new.product_id.map(|product| product.0));
            named.originals.extend(new.reverses.or(new.resolves));
        }
        named
    }
}
