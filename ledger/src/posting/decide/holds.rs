//! Holds: amounts that are set aside, and what ends them.

use chrono::{DateTime, Utc};

use super::Decider;
use super::chain::Undo;
use crate::leaf::LeafLeg;
use crate::posting::Refusal;
use crate::{Act, TransactionId};

/// A hold that has not ended.
struct OpenHold<'a> {
    legs: &'a [LeafLeg],
    /// Whether its time is over, so that it can only expire.
    is_over: bool,
}

impl Decider {
    pub(super) fn check_hold(
        &self,
        expires_at: Option<DateTime<Utc>>,
        legs: Vec<LeafLeg>,
    ) -> Result<Vec<LeafLeg>, Refusal> {
        if expires_at.is_some_and(|at| super::shape::micros(at) <= self.now()) {
            return Err(Refusal::TimeoutInPast);
        }
        let account = |leg: &LeafLeg| &self.state.accounts[&leg.account];
        if !legs.iter().all(|leg| account(leg).is_within_bound(0, held(leg).0)) {
            return Err(Refusal::InsufficientFunds);
        }
        let fits = |leg: &LeafLeg| account(leg).after(0, held(leg).0, held(leg).1).is_some();
        if legs.iter().all(fits) { Ok(legs) } else { Err(Refusal::BalanceOverflow) }
    }

    /// The legs that move: those that are asked for, or all of the hold.
    pub(super) fn check_capture(&self, id: TransactionId, legs: Vec<LeafLeg>) -> Result<Vec<LeafLeg>, Refusal> {
        let hold = self.find_hold(id)?;
        if hold.is_over {
            return Err(Refusal::HoldExpired);
        }
        if legs.is_empty() {
            return Ok(hold.legs.to_vec());
        }
        let is_within = |leg: &LeafLeg| {
            let held = hold.legs.iter().find(|held| held.account == leg.account);
            held.is_some_and(|held| {
                held.amount.signum() == leg.amount.signum() && leg.amount.unsigned_abs() <= held.amount.unsigned_abs()
            })
        };
        if legs.iter().all(is_within) { Ok(legs) } else { Err(Refusal::CaptureExceedsHold) }
    }

    pub(super) fn check_void(&self, id: TransactionId) -> Result<(), Refusal> {
        if self.find_hold(id)?.is_over { Err(Refusal::HoldExpired) } else { Ok(()) }
    }

    pub(super) fn check_expiry(&self, id: TransactionId) -> Result<(), Refusal> {
        if self.find_hold(id)?.is_over { Ok(()) } else { Err(Refusal::HoldNotExpired) }
    }

    fn find_hold(&self, id: TransactionId) -> Result<OpenHold<'_>, Refusal> {
        let leaf = self.find(id).ok_or(Refusal::HoldNotFound)?;
        let Act::Hold { expires_at } = leaf.act else { return Err(Refusal::NotAHold) };
        if self.state.ended.contains(&id) {
            return Err(Refusal::HoldEnded);
        }
        Ok(OpenHold { legs: &leaf.legs, is_over: expires_at.is_some_and(|at| at <= self.now()) })
    }

    pub(super) fn hold(&mut self, legs: &[LeafLeg]) {
        for leg in legs {
            let (out, into) = held(leg);
            assert!(out > 0 || into > 0, "a leg of a hold takes or brings something");
            self.change(leg.account, |account| {
                *account = account.after(0, out, into).expect("what is held is in range, as was checked");
            });
        }
    }

    /// Takes a hold off its accounts, whole: what a capture leaves of it is free again.
    pub(super) fn release(&mut self, id: TransactionId) {
        let legs = self.find(id).map(|leaf| leaf.legs.clone()).expect("the hold was found before");
        for leg in &legs {
            let (out, into) = held(leg);
            self.change(leg.account, |account| {
                *account = account.after(0, -out, -into).expect("what is less held is in range");
            });
        }
        assert!(self.state.ended.insert(id), "a hold ends at most once");
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Ended(id));
        }
    }
}

/// What a leg of a hold takes, and what it brings.
fn held(leg: &LeafLeg) -> (i64, i64) {
    if leg.amount < 0 { (-leg.amount, 0) } else { (0, leg.amount) }
}
