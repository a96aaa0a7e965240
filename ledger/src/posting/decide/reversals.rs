//! Reversals: whole, at most once, or in parts that never come to more than the original.

use super::Decider;
use super::chain::Undo;
use super::shape::is_inverse;
use crate::TransactionId;
use crate::leaf::{Leaf, LeafLeg};
use crate::posting::Refusal;

impl Decider {
    pub(super) fn check_reversal(&self, id: TransactionId, legs: Vec<LeafLeg>) -> Result<Vec<LeafLeg>, Refusal> {
        let original = self.find_original(id)?;
        if !is_inverse(&legs, &original.legs) {
            return Err(Refusal::ReversalMismatch);
        }
        if self.state.reversed.contains(&id) {
            return Err(Refusal::AlreadyReversed);
        }
        if self.state.parts.contains_key(&id) { Err(Refusal::PartlyReversed) } else { Ok(legs) }
    }

    pub(super) fn check_partial_reversal(
        &self,
        id: TransactionId,
        legs: Vec<LeafLeg>,
    ) -> Result<Vec<LeafLeg>, Refusal> {
        let original = self.find_original(id)?;
        if self.state.reversed.contains(&id) {
            return Err(Refusal::AlreadyReversed);
        }
        let before = self.state.parts.get(&id);
        let is_within = |leg: &LeafLeg| {
            let before = before.and_then(|parts| parts.get(&leg.account)).copied().unwrap_or_default();
            let undone = original.legs.iter().find(|original| original.account == leg.account);
            undone.is_some_and(|undone| is_part(i128::from(leg.amount), i128::from(before), -i128::from(undone.amount)))
        };
        if legs.iter().all(is_within) { Ok(legs) } else { Err(Refusal::ReversalExceedsOriginal) }
    }

    fn find_original(&self, id: TransactionId) -> Result<&Leaf, Refusal> {
        let original = self.find(id).ok_or(Refusal::OriginalNotFound)?;
        if original.act.moves() { Ok(original) } else { Err(Refusal::NotReversible) }
    }

    pub(super) fn note_reversal(&mut self, id: TransactionId) {
        assert!(!self.state.parts.contains_key(&id), "what is reversed in part is not reversed whole");
        assert!(self.state.reversed.insert(id), "a transaction is reversed at most once");
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Reversed(id));
        }
    }

    pub(super) fn note_partial_reversal(&mut self, id: TransactionId, legs: &[LeafLeg]) {
        assert!(!self.state.reversed.contains(&id), "what is reversed whole is not reversed in part");
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Part(id, self.state.parts.get(&id).cloned()));
        }
        let parts = self.state.parts.entry(id).or_default();
        for leg in legs {
            let sum = parts.entry(leg.account).or_default();
            *sum = sum.checked_add(leg.amount).expect("the parts are within the original, as was checked");
        }
    }
}

/// Whether an amount has the sign of the whole and, with what came before it, is not more.
fn is_part(amount: i128, before: i128, whole: i128) -> bool {
    amount.signum() == whole.signum() && (before + amount).abs() <= whole.abs()
}
