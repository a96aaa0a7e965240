//! What can be said of a leaf without knowing any other: its legs, and that they add up to zero.

use std::collections::HashSet;

use crate::leaf::{Leaf, LeafLeg};
use crate::money::MINOR_MAX;
use crate::posting::LEGS_MAX;
use crate::verify::finding::{Finding, Findings};
use crate::{Act, Currency};

/// From how many legs on accounts are looked up in a set instead of side by side.
const FEW: usize = 8;

/// Names what is wrong with the legs of a leaf.
pub(super) fn check(findings: &mut Findings, seq: i64, leaf: &Leaf) {
    if let Some(problem) = problem(leaf) {
        findings.add(Finding::Shape { seq, problem });
    }
    if let Some(currency) = unbalanced(&leaf.legs) {
        findings.add(Finding::Unbalanced { seq, currency: currency.code() });
    }
}

fn problem(leaf: &Leaf) -> Option<&'static str> {
    let legs = &leaf.legs;
    match leaf.act {
        Act::Void(_) | Act::Expire(_) => return None,
        Act::Close => return (legs[0].amount != 0).then_some("a closing moves something"),
        _ => (),
    }
    let range = -MINOR_MAX..=MINOR_MAX;
    if !(2..=LEGS_MAX).contains(&legs.len()) {
        Some("the count of its legs is none that can be")
    } else if legs.iter().any(|leg| leg.amount == 0) {
        Some("a leg moves nothing")
    } else if legs.iter().any(|leg| !range.contains(&i128::from(leg.amount))) {
        Some("a leg moves more than can be")
    } else if !accounts_differ(legs) {
        Some("two legs have the same account")
    } else {
        up_to_problem(leaf)
    }
}

/// A posting up to a bound moves one amount between two accounts, and no more than was asked for.
fn up_to_problem(leaf: &Leaf) -> Option<&'static str> {
    let Act::PostUpTo { asked } = leaf.act else { return None };
    let moved = leaf.legs[0].amount.unsigned_abs();
    if leaf.legs.len() != 2 {
        Some("it moves up to a bound, and has not two legs")
    } else if asked <= 0 || moved > asked.unsigned_abs() {
        Some("it moves more than was asked for")
    } else {
        None
    }
}

fn accounts_differ(legs: &[LeafLeg]) -> bool {
    if legs.len() > FEW {
        return legs.iter().map(|leg| leg.account).collect::<HashSet<_>>().len() == legs.len();
    }
    legs.iter().enumerate().all(|(n, leg)| legs[..n].iter().all(|other| other.account != leg.account))
}

/// The first currency in which the legs do not add up to zero.
fn unbalanced(legs: &[LeafLeg]) -> Option<Currency> {
    let first = legs.first()?.currency;
    let sum = |currency| -> i128 {
        legs.iter().filter(|leg| leg.currency == currency).map(|leg| i128::from(leg.amount)).sum()
    };
    if legs.iter().all(|leg| leg.currency == first) {
        return (legs.iter().map(|leg| i128::from(leg.amount)).sum::<i128>() != 0).then_some(first);
    }
    let currencies: HashSet<Currency> = legs.iter().map(|leg| leg.currency).collect();
    legs.iter().map(|leg| leg.currency).find(|currency| currencies.contains(currency) && sum(*currency) != 0)
}
