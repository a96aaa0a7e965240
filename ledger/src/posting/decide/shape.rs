//! What can be said of a posting without knowing the ledger, but for the currencies of its accounts.

use std::collections::HashSet;

use chrono::{DateTime, Datelike as _, Utc};

use crate::leaf::LeafLeg;
use crate::money::MINOR_MAX;
use crate::posting::{LEGS_MAX, Leg, Posting, Refusal};
use crate::{Act, Currency};

/// The refusals that need no account, in the order of [`Refusal`].
pub(super) fn check(posting: &Posting) -> Result<(), Refusal> {
    check_count(posting.act, posting.legs.len())?;
    check_amounts(posting.act, &posting.legs)?;
    if let Act::PostUpTo { asked } = posting.act {
        check_asked(asked, &posting.legs)?;
    }
    check_accounts_differ(&posting.legs)?;
    check_times(posting)
}

fn check_count(act: Act, count: usize) -> Result<(), Refusal> {
    let (least, most) = match act {
        Act::Post | Act::Reverse(_) | Act::ReversePart(_) | Act::Hold { .. } => (2, LEGS_MAX),
        Act::PostUpTo { .. } => (2, 2),
        Act::Capture(_) if count == 0 => (0, 0),
        Act::Capture(_) => (2, LEGS_MAX),
        Act::Void(_) | Act::Expire(_) => (0, 0),
        Act::Close => (1, 1),
    };
    match count {
        _ if count < least => Err(Refusal::TooFewLegs),
        _ if count > most => Err(Refusal::TooManyLegs),
        _ => Ok(()),
    }
}

fn check_amounts(act: Act, legs: &[Leg]) -> Result<(), Refusal> {
    if matches!(act, Act::Close) {
        return if legs.iter().all(|leg| leg.amount == 0) { Ok(()) } else { Err(Refusal::AmountNotZero) };
    }
    if legs.iter().any(|leg| leg.amount == 0) {
        return Err(Refusal::AmountZero);
    }
    let in_range = legs.iter().all(|leg| (-MINOR_MAX..=MINOR_MAX).contains(&leg.amount));
    if in_range { Ok(()) } else { Err(Refusal::AmountOutOfRange) }
}

/// The legs say which account pays, by their signs, and how much is asked for, as the act does.
fn check_asked(asked: i64, legs: &[Leg]) -> Result<(), Refusal> {
    let asked = i128::from(asked);
    let turns = legs.iter().map(|leg| leg.amount).sum::<i128>() == 0;
    let same = legs.iter().all(|leg| leg.amount.abs() == asked);
    if turns && same { Ok(()) } else { Err(Refusal::AskedMismatch) }
}

fn check_accounts_differ(legs: &[Leg]) -> Result<(), Refusal> {
    let differ = match legs {
        [one, other] => one.account != other.account,
        _ => legs.iter().map(|leg| leg.account).collect::<HashSet<_>>().len() == legs.len(),
    };
    if differ { Ok(()) } else { Err(Refusal::SameAccount) }
}

/// Every time that passes here fits the tables.
fn check_times(posting: &Posting) -> Result<(), Refusal> {
    let is_in_range = |time: DateTime<Utc>| (1..=9_999).contains(&time.year());
    let expires_at = match posting.act {
        Act::Hold { expires_at } => expires_at,
        _ => None,
    };
    let in_range = posting.effective_at.into_iter().chain(expires_at).all(is_in_range);
    if in_range { Ok(()) } else { Err(Refusal::TimeOutOfRange) }
}

/// At most [`LEGS_MAX`] amounts of at most 10^18 add up without overflow.
pub(super) fn check_balanced(legs: &[LeafLeg]) -> Result<(), Refusal> {
    let sum = |legs: &mut dyn Iterator<Item = &LeafLeg>| legs.map(|leg| i128::from(leg.amount)).sum::<i128>();
    let Some(first) = legs.first() else { return Ok(()) };
    if sum(&mut legs.iter()) != 0 {
        return Err(Refusal::Unbalanced);
    }
    if legs.iter().all(|leg| leg.currency == first.currency) {
        return Ok(());
    }
    let currencies: HashSet<Currency> = legs.iter().map(|leg| leg.currency).collect();
    let balanced = |currency| sum(&mut legs.iter().filter(|leg| leg.currency == currency)) == 0;
    if currencies.into_iter().all(balanced) { Ok(()) } else { Err(Refusal::CurrencyMismatch) }
}

/// The act as its leaf keeps it: with times in whole microseconds.
pub(super) fn in_micros(act: Act) -> Act {
    match act {
        Act::Hold { expires_at } => Act::Hold { expires_at: expires_at.map(micros) },
        act => act,
    }
}

/// The time, to the microsecond.
pub(super) fn micros(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).expect("a time in whole microseconds is a time")
}

/// Whether the legs undo those of the original, in whatever order.
pub(crate) fn is_inverse(legs: &[LeafLeg], original: &[LeafLeg]) -> bool {
    let sorted = |legs: &[LeafLeg], sign: i64| {
        let mut legs: Vec<_> = legs.iter().map(|leg| (leg.account, leg.currency, sign * leg.amount)).collect();
        legs.sort_unstable();
        legs
    };
    legs.len() == original.len() && sorted(legs, 1) == sorted(original, -1)
}
