//! The decision on a batch: in memory, in order, knowing no SQL. What it decides is what is written.
//!
//! A posting is judged on the state that those before it leave. Within a chain each change is kept in a journal, so that the
//! chain can be taken back when one of its postings is refused.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Leg, Outcome, Posting, Refusal};
use crate::leaf::{Leaf, LeafLeg};
use crate::{AccountId, Act, TransactionId};

mod chain;
mod compare;
mod holds;
mod reversals;
mod shape;
mod state;

use chain::Undo;
pub(crate) use shape::is_inverse;
pub(super) use state::{AccountState, Decision, NewEntry, State};

/// Decides on each posting in order, on the state that those before it leave.
pub(super) fn decide(state: State, postings: &[Posting]) -> Decision {
    let size = state.size;
    assert!(size >= 0, "a seq is an index");
    assert!(state.refused.keys().all(|id| !state.recorded.contains_key(id)), "no id is both recorded and refused");
    let mut decider = Decider { state, created: HashMap::new(), decision: Decision::default(), journal: None };
    let mut rest = postings;
    while let Some(first) = rest.first() {
        if first.linked {
            let (chain, after) = rest.split_at(chain::length(rest));
            decider.decide_chain(chain);
            rest = after;
        } else {
            let outcome = decider.decide_one(first);
            decider.decision.outcomes.push(outcome);
            rest = &rest[1..];
        }
    }
    let decision = decider.finish();
    assert_eq!(decision.outcomes.len(), postings.len(), "each posting has its outcome");
    assert!(decision.leaves.iter().zip(size..).all(|(leaf, seq)| leaf.seq == seq), "seqs have no gap");
    assert!(decision.leaves.len() + decision.refused.len() <= postings.len(), "an id is used up once");
    decision
}

struct Decider {
    state: State,
    /// Where the transactions of this batch stand among the leaves of the decision.
    created: HashMap<TransactionId, usize>,
    decision: Decision,
    /// Within a chain, how to take it back.
    journal: Option<Vec<Undo>>,
}

/// What a posting comes to, before anything is kept of a refusal.
enum Judgement {
    /// Its id was used before, or it is recorded now.
    Answered(Outcome),
    /// It is refused now.
    Refused(Refusal),
}

impl Decider {
    fn decide_one(&mut self, posting: &Posting) -> Outcome {
        match self.judge(posting) {
            Judgement::Answered(outcome) => outcome,
            Judgement::Refused(refusal) => self.refuse(posting.id, refusal),
        }
    }

    fn judge(&mut self, posting: &Posting) -> Judgement {
        if let Some(recorded) = self.find(posting.id) {
            return Judgement::Answered(compare::compare(posting, recorded, |hold| self.find(hold)));
        }
        if let Some(refusal) = self.state.refused.get(&posting.id) {
            return Judgement::Answered(Outcome::Refused(*refusal));
        }
        match self.check(posting) {
            Ok(legs) => Judgement::Answered(self.record(posting, legs)),
            Err(refusal) => Judgement::Refused(refusal),
        }
    }

    /// The transaction of this id, recorded before or in this batch.
    fn find(&self, id: TransactionId) -> Option<&Leaf> {
        let created = self.created.get(&id).map(|index| &self.decision.leaves[*index]);
        created.or_else(|| self.state.recorded.get(&id))
    }

    /// When the next transaction is recorded: the time that holds are measured by.
    fn now(&self) -> DateTime<Utc> {
        self.state.next_at + TimeDelta::microseconds(self.decision.leaves.len() as i64)
    }

    /// The refusals, in the order of [`Refusal`]; the legs as they are recorded.
    fn check(&self, posting: &Posting) -> Result<Vec<LeafLeg>, Refusal> {
        shape::check(posting)?;
        let legs = self.legs_of_open_accounts(&posting.legs)?;
        shape::check_balanced(&legs)?;
        let legs = match posting.act {
            Act::Post => legs,
            Act::PostUpTo { .. } => self.as_much_as_there_is(legs)?,
            Act::Reverse(original) => self.check_reversal(original, legs)?,
            Act::ReversePart(original) => self.check_partial_reversal(original, legs)?,
            // None of these breaks a bound: what leaves the hold was counted since it began.
            Act::Capture(hold) => return self.check_capture(hold, legs),
            Act::Void(hold) => return self.check_void(hold).map(|()| legs),
            Act::Expire(hold) => return self.check_expiry(hold).map(|()| legs),
            Act::Hold { expires_at } => return self.check_hold(expires_at, legs),
            Act::Close => return self.check_closing(legs),
        };
        self.check_bounds(&legs)?;
        Ok(legs)
    }

    fn legs_of_open_accounts(&self, legs: &[Leg]) -> Result<Vec<LeafLeg>, Refusal> {
        let mut is_closed = false;
        let leg = |leg: &Leg| {
            let account = self.state.accounts.get(&leg.account).ok_or(Refusal::AccountNotFound)?;
            is_closed |= account.closed_seq.is_some();
            let amount = i64::try_from(leg.amount).expect("the amount is in range, as was checked before");
            Ok(LeafLeg { account: leg.account, currency: account.currency, amount })
        };
        let legs = legs.iter().map(leg).collect::<Result<_, _>>()?;
        if is_closed { Err(Refusal::AccountClosed) } else { Ok(legs) }
    }

    /// The legs of a posting up to an amount, cut down to what the paying account has available.
    fn as_much_as_there_is(&self, mut legs: Vec<LeafLeg>) -> Result<Vec<LeafLeg>, Refusal> {
        let paying = legs.iter().find(|leg| leg.amount < 0).expect("one of the two legs pays, as was checked");
        let account = &self.state.accounts[&paying.account];
        let asked = i128::from(paying.amount.unsigned_abs());
        let moved = if account.overdraft.is_allowed() { asked } else { asked.min(account.available()) };
        assert!((0..=asked).contains(&moved), "no account without overdraft has less than nothing available");
        if moved == 0 {
            return Err(Refusal::InsufficientFunds);
        }
        for leg in &mut legs {
            leg.amount =
                leg.amount.signum() * i64::try_from(moved).expect("what is moved is at most what was asked for");
        }
        Ok(legs)
    }

    fn check_bounds(&self, legs: &[LeafLeg]) -> Result<(), Refusal> {
        let account = |leg: &LeafLeg| &self.state.accounts[&leg.account];
        if !legs.iter().all(|leg| account(leg).is_within_bound(leg.amount, 0)) {
            return Err(Refusal::InsufficientFunds);
        }
        let fits = legs.iter().all(|leg| account(leg).after(leg.amount, 0, 0).is_some());
        if fits { Ok(()) } else { Err(Refusal::BalanceOverflow) }
    }

    fn check_closing(&self, legs: Vec<LeafLeg>) -> Result<Vec<LeafLeg>, Refusal> {
        let account = &self.state.accounts[&legs[0].account];
        if account.balance != 0 {
            return Err(Refusal::AccountNotEmpty);
        }
        if (account.held_out, account.held_in) != (0, 0) {
            return Err(Refusal::AccountHasHolds);
        }
        Ok(legs)
    }

    fn record(&mut self, posting: &Posting, legs: Vec<LeafLeg>) -> Outcome {
        let index = self.decision.leaves.len();
        let recorded_at = self.now();
        let leaf = Leaf {
            book: self.state.book,
            seq: self.state.size + index as i64,
            id: posting.id,
            recorded_at,
            effective_at: posting.effective_at.map_or(recorded_at, shape::micros),
            code: posting.code,
            act: shape::in_micros(posting.act),
            metadata_hash: posting.metadata_hash,
            legs,
        };
        let seq = leaf.seq;
        self.apply(&leaf);
        self.decision.leaves.push(leaf);
        assert!(self.created.insert(posting.id, index).is_none(), "an id is recorded at most once");
        Outcome::Created { seq, recorded_at }
    }

    fn apply(&mut self, leaf: &Leaf) {
        assert_eq!(leaf.legs.iter().map(|leg| i128::from(leg.amount)).sum::<i128>(), 0, "debits equal credits");
        match leaf.act {
            Act::Post | Act::PostUpTo { .. } => (),
            Act::Reverse(original) => self.note_reversal(original),
            Act::ReversePart(original) => self.note_partial_reversal(original, &leaf.legs),
            Act::Hold { .. } => self.hold(&leaf.legs),
            Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) => self.release(hold),
            Act::Close => self.change(leaf.legs[0].account, |account| account.closed_seq = Some(leaf.seq)),
        }
        if leaf.act.moves() {
            assert!(leaf.legs.len() >= 2, "what moves, moves from one account to another");
            let effective_at = (leaf.effective_at != leaf.recorded_at).then_some(leaf.effective_at);
            leaf.legs.iter().for_each(|leg| self.move_leg(leg, leaf.seq, effective_at));
        }
    }

    fn move_leg(&mut self, leg: &LeafLeg, seq: i64, effective_at: Option<DateTime<Utc>>) {
        let LeafLeg { account: id, amount, currency } = *leg;
        let mut entry = NewEntry { account: id, version: 0, seq, amount, balance: 0, effective_at };
        self.change(id, |account| {
            assert_eq!(account.currency, currency, "a leg is in its account's currency");
            *account = account.after(amount, 0, 0).expect("the balance is in range, as was checked");
            account.version += 1;
            (entry.version, entry.balance) = (account.version, account.balance);
        });
        assert!(entry.version >= 1 && amount != 0, "an entry moves something, and has a version from 1");
        self.decision.entries.push(entry);
    }

    /// Changes an account, and keeps in the journal what it was.
    fn change(&mut self, id: AccountId, change: impl FnOnce(&mut AccountState)) {
        let account = self.state.accounts.get_mut(&id).expect("the account was found before");
        assert!(account.closed_seq.is_none(), "nothing happens to a closed account");
        if let Some(journal) = &mut self.journal {
            journal.push(Undo::Account(id, *account));
        }
        account.is_changed = true;
        change(account);
        account.assert_sound();
    }

    fn refuse(&mut self, id: TransactionId, refusal: Refusal) -> Outcome {
        assert!(self.find(id).is_none(), "what is recorded is not refused");
        if refusal.is_final() {
            assert!(self.state.refused.insert(id, refusal).is_none(), "an id is refused for good at most once");
            self.decision.refused.push((id, refusal));
        }
        Outcome::Refused(refusal)
    }

    fn finish(self) -> Decision {
        assert!(self.journal.is_none(), "no chain is left open");
        let changed = self.state.accounts.into_iter().filter(|(_, account)| account.is_changed).collect();
        Decision { accounts: changed, ..self.decision }
    }
}
