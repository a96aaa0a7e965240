//! What follows from an earlier transaction: taking it back, and ending a hold.
//!
//! What the ledger decides when it records, such as that parts never come to more than the whole, is not decided here.

use ledger::Money;

use super::decide::{Act, Facts, Movement, Refusal, refuse};
use super::{Kind, Leg, NewTransaction, State, Status, Transaction};
use crate::principal::Principal;

/// The original's legs the other way round, or of two legs a part of them.
pub(super) fn reverse(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Movement, Refusal> {
    let id = new.reverses.expect("validated: a reversal names its original");
    let missing = || refuse("original_not_found", "/reverses", format!("there is no transaction {id}"));
    let original = facts.originals.get(&id).ok_or_else(missing)?;
    // Whoever got the money may give it back; to everybody else it does not exist.
    if !owns_all(principal, facts, original, |leg| leg.amount.minor > 0) {
        return Err(missing());
    }
    if original.status == Status::Rejected {
        let detail = format!("transaction {id} was rejected and moved nothing");
        return Err(refuse("original_rejected", "/reverses", detail));
    }
    if matches!(original.kind, Kind::Reversal | Kind::Void) || original.hold.is_some() {
        let detail = match original.kind {
            Kind::Reversal => format!("transaction {id} is itself a reversal"),
            _ => format!("transaction {id} moves nothing"),
        };
        return Err(refuse("not_reversible", "/reverses", detail));
    }
    let amount = part(new, original, "more_than_original")?;
    let movement = Movement::of(new, original.to, original.from, amount.unwrap_or(original.amount));
    let legs = original.legs.iter().map(|leg| leg.turned()).collect();
    Ok(Movement { legs, act: amount.map(|_| Act::Part), ..movement })
}

/// The hold's legs, or of two legs a part of them.
pub(super) fn end(principal: &Principal, new: &NewTransaction, facts: &Facts) -> Result<Movement, Refusal> {
    let id = new.resolves.expect("validated: it names its hold");
    let missing = || refuse("hold_not_found", "/hold_id", format!("there is no transaction {id}"));
    let hold = facts.originals.get(&id).ok_or_else(missing)?;
    check_rights(principal, new, facts, hold).ok_or_else(missing)??;
    let Some(state) = hold.hold else {
        return Err(refuse("not_a_hold", "/hold_id", format!("transaction {id} sets nothing aside")));
    };
    let ended = match hold.state() {
        State::Rejected => Some(("hold_rejected", "was rejected and holds nothing")),
        State::Posted => Some(("already_posted", "is posted already")),
        State::Voided => Some(("already_voided", "is voided already")),
        _ if state.is_over => Some(("hold_expired", "is over: what it held is free again")),
        _ => None,
    };
    if let Some((code, what)) = ended {
        return Err(refuse(code, "/hold_id", format!("hold {id} {what}")));
    }
    let amount = part(new, hold, "more_than_held")?;
    let movement = Movement::of(new, hold.from, hold.to, amount.unwrap_or(hold.amount));
    Ok(Movement { legs: hold.legs.clone(), act: amount.map(|_| Act::Part), ..movement })
}

/// Whoever pays or is paid may post, for that is what the hold promises; only who is paid lets go of it. Staff act for the
/// book's own accounts. None: the hold is nothing that the caller may see.
fn check_rights(
    principal: &Principal,
    new: &NewTransaction,
    facts: &Facts,
    hold: &Transaction,
) -> Option<Result<(), Refusal>> {
    let is_paid = owns_all(principal, facts, hold, |leg| leg.amount.minor > 0);
    let pays = owns_all(principal, facts, hold, |leg| leg.amount.minor < 0);
    let takes_part = hold.all_legs().iter().any(|leg| owns(principal, facts, leg));
    let refused = |code, detail: &str| Some(Err(refuse(code, "/hold_id", detail.to_owned())));
    match new.kind {
        _ if is_paid => Some(Ok(())),
        Kind::Post if pays => Some(Ok(())),
        _ if !takes_part && hold.created_by != principal.user_id => None,
        Kind::Post => refused("post_not_allowed", "only who pays all of it or is paid all of it may post it"),
        _ => refused("void_not_allowed", "only who would be paid may void it"),
    }
}

fn owns(principal: &Principal, facts: &Facts, leg: &Leg) -> bool {
    facts.wallets.get(&leg.account).is_some_and(|wallet| wallet.is_of(principal))
}

/// Whether each of these legs of a transaction is on an account of the caller's.
fn owns_all(principal: &Principal, facts: &Facts, of: &Transaction, which: impl Fn(&Leg) -> bool) -> bool {
    of.all_legs().iter().filter(|leg| which(leg)).all(|leg| owns(principal, facts, leg))
}

/// The amount that the request names, if it does: not more than the whole.
fn part(new: &NewTransaction, whole: &Transaction, more: &'static str) -> Result<Option<Money>, Refusal> {
    let Some(amount) = new.amount else { return Ok(None) };
    if !whole.legs.is_empty() {
        let detail = format!("transaction {} has many legs, and is taken whole", whole.id);
        return Err(refuse("part_of_many_legs", "/amount", detail));
    }
    if amount.currency != whole.amount.currency {
        let (is, asked) = (whole.amount.currency.code(), amount.currency.code());
        let detail = format!("transaction {} is in {is}, not {asked}", whole.id);
        return Err(refuse("currency_mismatch", "/amount/currency", detail));
    }
    if amount.minor > whole.amount.minor {
        let detail = format!("transaction {} is of {}", whole.id, whole.amount.to_decimal_string());
        return Err(refuse(more, "/amount/amount", detail));
    }
    Ok(Some(amount))
}
