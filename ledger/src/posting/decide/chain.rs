//! Chains: postings that are recorded all or none.

use std::collections::HashMap;

use super::state::AccountState;
use super::{Decider, Judgement};
use crate::posting::{Outcome, Posting, Refusal};
use crate::{AccountId, TransactionId};

/// How to take one change back.
#[derive(Debug)]
pub(super) enum Undo {
    /// The account was this.
    Account(AccountId, AccountState),
    /// It was not reversed.
    Reversed(TransactionId),
    /// This much of it was reversed; none: no part of it.
    Part(TransactionId, Option<HashMap<AccountId, i64>>),
    /// It had not ended.
    Ended(TransactionId),
}

/// The postings of the chain that begins here: the linked ones, and the one that they lead to.
pub(super) fn length(postings: &[Posting]) -> usize {
    let linked = postings.iter().take_while(|posting| posting.linked).count();
    postings.len().min(linked + 1)
}

impl Decider {
    /// Decides on a whole chain, and answers for each of its postings.
    pub(super) fn decide_chain(&mut self, chain: &[Posting]) {
        let (leaves, entries) = (self.decision.leaves.len(), self.decision.entries.len());
        assert!(self.journal.is_none(), "a chain is not within another");
        self.journal = Some(Vec::new());
        let mut outcomes = Vec::with_capacity(chain.len());
        let broken = chain.iter().enumerate().find_map(|(index, posting)| match self.judge_in_chain(chain, index) {
            Judgement::Answered(outcome @ (Outcome::Created { .. } | Outcome::Exists { .. })) => {
                outcomes.push(outcome);
                None
            }
            other => Some((posting, other)),
        });
        let journal = self.journal.take().expect("it was begun with the chain");
        if let Some((posting, judgement)) = broken {
            self.take_back(leaves, entries, journal);
            outcomes = self.outcomes_of_broken(chain, posting, judgement);
        }
        assert_eq!(outcomes.len(), chain.len());
        self.decision.outcomes.append(&mut outcomes);
    }

    fn judge_in_chain(&mut self, chain: &[Posting], index: usize) -> Judgement {
        if chain[index].linked && index + 1 == chain.len() {
            return Judgement::Answered(Outcome::Refused(Refusal::LinkedChainOpen));
        }
        self.judge(&chain[index])
    }

    /// The one that broke the chain keeps its answer. The others failed with it, but for what was recorded before.
    fn outcomes_of_broken(&mut self, chain: &[Posting], broken: &Posting, judgement: Judgement) -> Vec<Outcome> {
        let own = match judgement {
            Judgement::Answered(outcome) => outcome,
            Judgement::Refused(refusal) => self.refuse(broken.id, refusal),
        };
        let other = |posting: &Posting| {
            let recorded = self.find(posting.id).map(|leaf| super::compare::compare(posting, leaf, |id| self.find(id)));
            recorded.filter(is_recorded).unwrap_or(Outcome::Refused(Refusal::LinkedFailed))
        };
        chain.iter().map(|posting| if std::ptr::eq(posting, broken) { own } else { other(posting) }).collect()
    }

    fn take_back(&mut self, leaves: usize, entries: usize, journal: Vec<Undo>) {
        for leaf in self.decision.leaves.drain(leaves..) {
            assert!(self.created.remove(&leaf.id).is_some(), "what is taken back was recorded in this batch");
        }
        self.decision.entries.truncate(entries);
        let state = &mut self.state;
        for undo in journal.into_iter().rev() {
            match undo {
                Undo::Account(id, before) => assert!(state.accounts.insert(id, before).is_some()),
                Undo::Reversed(id) => assert!(state.reversed.remove(&id)),
                Undo::Part(id, Some(before)) => assert!(state.parts.insert(id, before).is_some()),
                Undo::Part(id, None) => assert!(state.parts.remove(&id).is_some()),
                Undo::Ended(id) => assert!(state.ended.remove(&id)),
            }
        }
    }
}

fn is_recorded(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Exists { .. })
}
