//! Holds: what they set aside, and how each ends at most once.

use chrono::{DateTime, Utc};

use super::Fold;
use crate::leaf::{Leaf, LeafLeg};
use crate::verify::finding::Finding;
use crate::verify::rows::HoldRow;
use crate::{Act, TransactionId};

/// A hold that nothing has ended yet.
pub(crate) struct OpenHold {
    pub(crate) seq: i64,
    expires_at: Option<DateTime<Utc>>,
    legs: Box<[LeafLeg]>,
    /// Whether its row was seen.
    is_listed: bool,
}

impl Fold {
    pub(super) fn hold(&mut self, seq: i64, leaf: &Leaf, expires_at: Option<DateTime<Utc>>) {
        for leg in &leaf.legs {
            let Some(fold) = self.account(seq, leg) else { continue };
            if !fold.hold(leg.amount) {
                self.findings.add(Finding::Bound { seq, account: leg.account });
            }
        }
        let hold = OpenHold { seq, expires_at, legs: leaf.legs.as_slice().into(), is_listed: false };
        // A second hold of one id has its finding among the ids.
        self.holds.insert(leaf.id.0, hold);
    }

    /// Frees all of the hold, before a capture moves its part.
    pub(super) fn end_hold(&mut self, seq: i64, leaf: &Leaf, hold: TransactionId) {
        let Some(open) = self.holds.remove(&hold.0) else {
            return self.findings.add(Finding::Hold { seq, hold, problem: "it is not an open hold" });
        };
        assert!(open.seq < seq, "a hold that is open stands before what ends it");
        if let Some(problem) = problem(&open, leaf) {
            self.findings.add(Finding::Hold { seq, hold, problem });
        }
        for leg in &open.legs {
            if let Some(fold) = self.accounts.get_mut(&leg.account.0) {
                fold.free(leg.amount);
            }
        }
    }

    /// Compares a row of the open holds with what follows from the leaves.
    pub(crate) fn check_open_hold(&mut self, row: &HoldRow) {
        let hold = TransactionId(row.id);
        let Some(open) = self.holds.get_mut(&row.id).filter(|open| !open.is_listed) else {
            return self.findings.add(Finding::OpenHoldExtra { hold });
        };
        open.is_listed = true;
        let expires_at = open.expires_at.map(|at| at.timestamp_micros());
        let columns = [
            ("seq", row.seq == open.seq),
            ("expires_at", row.expires_at == expires_at),
            ("accounts", open.legs.iter().map(|leg| leg.account.0).eq(row.accounts.iter().copied())),
        ];
        for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
            self.findings.add(Finding::OpenHold { hold, column });
        }
    }

    /// Finds the open holds that have no row.
    pub(crate) fn check_all_holds_listed(&mut self) {
        let missing = self.holds.iter().filter(|(_, open)| !open.is_listed);
        let mut missing: Vec<_> = missing.map(|(id, open)| (open.seq, TransactionId(*id))).collect();
        missing.sort_unstable();
        for (_, hold) in missing {
            self.findings.add(Finding::OpenHoldMissing { hold });
        }
    }
}

/// What is wrong with how a leaf ends a hold.
fn problem(open: &OpenHold, leaf: &Leaf) -> Option<&'static str> {
    let is_over = open.expires_at.is_some_and(|expires_at| expires_at <= leaf.recorded_at);
    match leaf.act {
        Act::Expire(_) if !is_over => Some("its time is not over"),
        Act::Capture(_) | Act::Void(_) if is_over => Some("its time is over"),
        Act::Capture(_) if !is_within(&leaf.legs, &open.legs) => Some("its legs are not within those of the hold"),
        _ => None,
    }
}

/// Whether each leg is on an account of the hold, in the same direction, and not more.
fn is_within(legs: &[LeafLeg], held: &[LeafLeg]) -> bool {
    let fits = |leg: &LeafLeg, held: &LeafLeg| {
        leg.account == held.account
            && leg.amount.signum() == held.amount.signum()
            && leg.amount.unsigned_abs() <= held.amount.unsigned_abs()
    };
    if legs.len() > held.len() {
        return false;
    }
    // Most have two legs, and most captures have theirs in the order of the hold.
    legs.iter().enumerate().all(|(n, leg)| fits(leg, &held[n]) || held.iter().any(|held| fits(leg, held)))
}
