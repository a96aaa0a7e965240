//! What was undone: whole and once, or in parts that never come to more than it was.

use std::collections::HashMap;

use super::Fold;
use crate::leaf::{Leaf, LeafLeg};
use crate::posting::decide::is_inverse;
use crate::verify::finding::Finding;
use crate::verify::rows::LeafRow;
use crate::{AccountId, Act, TransactionId};

/// The transactions that undo one other, in the order of the log.
#[derive(Default)]
pub(crate) struct Undone {
    by: Vec<Undoing>,
    /// Whether the original was found.
    is_recorded: bool,
}

struct Undoing {
    seq: i64,
    is_whole: bool,
    legs: Box<[LeafLeg]>,
}

impl Undone {
    pub(super) fn add(&mut self, seq: i64, leaf: &Leaf) {
        let is_whole = matches!(leaf.act, Act::Reverse(_));
        self.by.push(Undoing { seq, is_whole, legs: leaf.legs.as_slice().into() });
    }

    /// What is wrong with each that undoes `original`, by its place in the log.
    fn problems(&self, seq: i64, original: &Leaf) -> Vec<(i64, &'static str)> {
        let mut left: HashMap<AccountId, i128> =
            original.legs.iter().map(|leg| (leg.account, i128::from(leg.amount))).collect();
        let mut before: Option<&Undoing> = None;
        let mut problems = Vec::new();
        for undoing in &self.by {
            let problem = if seq >= undoing.seq {
                Some("it is not recorded before")
            } else if !original.act.moves() {
                Some("it moved nothing")
            } else if before.is_some_and(|before| before.is_whole) {
                Some("it is reversed already")
            } else if undoing.is_whole && before.is_some() {
                Some("a part of it is reversed already")
            } else if undoing.is_whole {
                (!is_inverse(&undoing.legs, &original.legs)).then_some("the legs are not its inverse")
            } else {
                (!takes(&mut left, &undoing.legs)).then_some("the legs are more than is left of it")
            };
            problems.extend(problem.map(|problem| (undoing.seq, problem)));
            before = Some(undoing);
        }
        problems
    }
}

/// Takes the legs off what is left of the original; whether there is that much, in the other direction.
fn takes(left: &mut HashMap<AccountId, i128>, legs: &[LeafLeg]) -> bool {
    legs.iter().all(|leg| {
        let Some(left) = left.get_mut(&leg.account) else { return false };
        let rest = *left + i128::from(leg.amount);
        let is_part = leg.amount.signum() as i128 == -left.signum() && (rest == 0 || rest.signum() == left.signum());
        *left = rest;
        is_part
    })
}

impl Fold {
    /// Compares what undoes a transaction with that transaction.
    pub(crate) fn check_original(&mut self, row: &LeafRow<'_>) {
        let Some(undone) = self.undone.get_mut(&row.id) else { return };
        undone.is_recorded = true;
        // A leaf that cannot be read has its finding already.
        let Ok(leaf) = Leaf::decode(row.leaf) else { return };
        for (seq, problem) in undone.problems(row.seq, &leaf) {
            self.findings.add(Finding::Reversal { seq, original: TransactionId(row.id), problem });
        }
    }

    /// Finds what undoes a transaction that there is not.
    pub(crate) fn check_all_originals_found(&mut self) {
        let missing = self.undone.iter().filter(|(_, undone)| !undone.is_recorded);
        let missing = missing.flat_map(|(id, undone)| undone.by.iter().map(|by| (by.seq, TransactionId(*id))));
        let mut missing: Vec<_> = missing.collect();
        missing.sort_unstable();
        for (seq, original) in missing {
            self.findings.add(Finding::Reversal { seq, original, problem: "it is not recorded" });
        }
    }
}
