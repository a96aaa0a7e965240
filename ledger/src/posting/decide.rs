//! The decision on a batch: in memory, in order, knowing no SQL. What it decides is what is written.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::refusal::{Field, Refusal};
use super::{LEGS_MAX, Leg, Outcome, Posting};
use crate::accounts::Overdraft;
use crate::leaf::{Leaf, LeafLeg};
use crate::money::MINOR_MAX;
use crate::{AccountId, Currency, TransactionId};

/// An account as the batch finds it, and as it leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountState {
    pub(super) currency: Currency,
    pub(super) overdraft: Overdraft,
    pub(super) balance: i64,
    pub(super) version: i64,
}

/// All that the decision needs to know; what a batch does not name may be left out.
#[derive(Debug, Default)]
pub(super) struct State {
    /// The number of the book.
    pub(super) book: i32,
    /// The seq of the next transaction.
    pub(super) size: i64,
    /// The recorded_at of the next transaction; those after it follow by a microsecond.
    pub(super) next_at: DateTime<Utc>,
    /// The accounts of the batch that are open.
    pub(super) accounts: HashMap<AccountId, AccountState>,
    /// The transactions that the batch posts again or reverses.
    pub(super) recorded: HashMap<TransactionId, Leaf>,
    /// The ids of the batch that are refused for good.
    pub(super) refused: HashMap<TransactionId, Refusal>,
    /// The originals of the batch that are reversed already.
    pub(super) reversed: HashSet<TransactionId>,
}

/// What a leg does to its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewEntry {
    pub(super) account: AccountId,
    pub(super) version: i64,
    pub(super) seq: i64,
    pub(super) amount: i64,
    pub(super) balance: i64,
}

/// What is to be written, and what is to be answered.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// One for each posting, in the order given.
    pub(super) outcomes: Vec<Outcome>,
    /// The transactions to record, in order.
    pub(super) leaves: Vec<Leaf>,
    /// Their entries, in order.
    pub(super) entries: Vec<NewEntry>,
    /// The accounts that they touch, as they are afterwards.
    pub(super) accounts: HashMap<AccountId, AccountState>,
    /// The ids that are used up by a final refusal.
    pub(super) refused: Vec<(TransactionId, Refusal)>,
}

/// Decides on each posting in order, on the state that those before it leave.
pub(super) fn decide(state: State, postings: &[Posting]) -> Decision {
    let size = state.size;
    assert!(size >= 0, "a seq is an index");
    assert!(state.refused.keys().all(|id| !state.recorded.contains_key(id)), "no id is both recorded and refused");
    let mut decider = Decider { state, created: HashMap::new(), decision: Decision::default() };
    for posting in postings {
        let outcome = decider.decide_one(posting);
        decider.decision.outcomes.push(outcome);
    }
    let decision = decider.decision;
    assert_eq!(decision.outcomes.len(), postings.len(), "each posting has its outcome");
    assert!(decision.leaves.iter().zip(size..).all(|(leaf, seq)| leaf.seq == seq), "seqs have no gap");
    assert!(decision.entries.len() >= 2 * decision.leaves.len(), "a transaction has two legs or more");
    assert!(decision.leaves.len() + decision.refused.len() <= postings.len(), "an id is used up once");
    decision
}

struct Decider {
    state: State,
    /// Where the transactions of this batch stand among the leaves of the decision.
    created: HashMap<TransactionId, usize>,
    decision: Decision,
}

impl Decider {
    fn decide_one(&mut self, posting: &Posting) -> Outcome {
        if let Some(recorded) = self.find(posting.id) {
            return compare(posting, recorded);
        }
        if let Some(refusal) = self.state.refused.get(&posting.id) {
            return Outcome::Refused(*refusal);
        }
        match self.check(posting) {
            Ok(legs) => self.record(posting, legs),
            Err(refusal) => self.refuse(posting.id, refusal),
        }
    }

    /// The transaction of this id, recorded before or in this batch.
    fn find(&self, id: TransactionId) -> Option<&Leaf> {
        let created = self.created.get(&id).map(|index| &self.decision.leaves[*index]);
        created.or_else(|| self.state.recorded.get(&id))
    }

    /// The refusals, in the order of [`Refusal`].
    fn check(&self, posting: &Posting) -> Result<Vec<LeafLeg>, Refusal> {
        check_count(&posting.legs)?;
        check_amounts(&posting.legs)?;
        check_accounts_differ(&posting.legs)?;
        let legs = self.legs_of_open_accounts(&posting.legs)?;
        check_balanced(&legs)?;
        self.check_reversal(posting.act.reverses(), &legs)?;
        self.check_bounds(&legs)?;
        Ok(legs)
    }

    fn legs_of_open_accounts(&self, legs: &[Leg]) -> Result<Vec<LeafLeg>, Refusal> {
        let leg = |leg: &Leg| {
            let account = self.state.accounts.get(&leg.account).ok_or(Refusal::AccountNotFound)?;
            let amount = i64::try_from(leg.amount).expect("the amount is in range, as was checked before");
            Ok(LeafLeg { account: leg.account, currency: account.currency, amount })
        };
        legs.iter().map(leg).collect()
    }

    fn check_reversal(&self, reverses: Option<TransactionId>, legs: &[LeafLeg]) -> Result<(), Refusal> {
        let Some(original) = reverses else { return Ok(()) };
        let leaf = self.find(original).ok_or(Refusal::OriginalNotFound)?;
        if !is_inverse(legs, &leaf.legs) {
            return Err(Refusal::ReversalMismatch);
        }
        if self.state.reversed.contains(&original) { Err(Refusal::AlreadyReversed) } else { Ok(()) }
    }

    fn check_bounds(&self, legs: &[LeafLeg]) -> Result<(), Refusal> {
        let after = |leg: &LeafLeg| {
            let account = &self.state.accounts[&leg.account];
            (account.overdraft, i128::from(account.balance) + i128::from(leg.amount))
        };
        if legs.iter().map(after).any(|(overdraft, balance)| overdraft == Overdraft::Forbidden && balance < 0) {
            return Err(Refusal::InsufficientFunds);
        }
        match legs.iter().map(after).all(|(_, balance)| i64::try_from(balance).is_ok()) {
            true => Ok(()),
            false => Err(Refusal::BalanceOverflow),
        }
    }

    fn record(&mut self, posting: &Posting, legs: Vec<LeafLeg>) -> Outcome {
        assert!(legs.len() >= 2 && legs.len() == posting.legs.len(), "what is recorded was checked");
        assert_eq!(legs.iter().map(|leg| i128::from(leg.amount)).sum::<i128>(), 0, "debits equal credits");
        let index = self.decision.leaves.len();
        let seq = self.state.size + index as i64;
        let recorded_at = self.state.next_at + TimeDelta::microseconds(index as i64);
        for leg in &legs {
            self.apply(leg, seq);
        }
        if let Some(original) = posting.act.reverses() {
            assert!(self.state.reversed.insert(original), "a transaction is reversed at most once");
        }
        let leaf = Leaf {
            book: self.state.book,
            seq,
            id: posting.id,
            recorded_at,
            effective_at: posting.effective_at,
            code: posting.code,
            act: posting.act,
            metadata_hash: posting.metadata_hash,
            legs,
        };
        self.decision.leaves.push(leaf);
        assert!(self.created.insert(posting.id, index).is_none(), "an id is recorded at most once");
        Outcome::Created { seq, recorded_at }
    }

    fn apply(&mut self, leg: &LeafLeg, seq: i64) {
        let account = self.state.accounts.get_mut(&leg.account).expect("the account is open, as was checked before");
        assert_eq!(account.currency, leg.currency, "a leg is in its account's currency");
        account.balance = account.balance.checked_add(leg.amount).expect("the balance is in range, as was checked");
        account.version += 1;
        assert!(account.version >= 1 && leg.amount != 0, "an entry moves something, and has a version from 1");
        assert!(account.overdraft == Overdraft::Allowed || account.balance >= 0, "no overdraft unless allowed");
        let (version, balance) = (account.version, account.balance);
        self.decision.entries.push(NewEntry { account: leg.account, version, seq, amount: leg.amount, balance });
        self.decision.accounts.insert(leg.account, *account);
    }

    fn refuse(&mut self, id: TransactionId, refusal: Refusal) -> Outcome {
        assert!(self.find(id).is_none(), "what is recorded is not refused");
        if refusal.is_final() {
            assert!(self.state.refused.insert(id, refusal).is_none(), "an id is refused for good at most once");
            self.decision.refused.push((id, refusal));
        }
        Outcome::Refused(refusal)
    }
}

/// What is answered for the id of a recorded transaction: the first field that differs, if any does.
fn compare(posting: &Posting, leaf: &Leaf) -> Outcome {
    assert_eq!(posting.id, leaf.id, "a posting is compared with the transaction of its id");
    let same_leg = |(leg, recorded): (&Leg, &LeafLeg)| {
        leg.account == recorded.account && leg.amount == i128::from(recorded.amount)
    };
    let same_legs = posting.legs.len() == leaf.legs.len() && posting.legs.iter().zip(&leaf.legs).all(same_leg);
    let fields = [
        (Field::Code, posting.code == leaf.code),
        (Field::Legs, same_legs),
        (Field::EffectiveAt, posting.effective_at.timestamp_micros() == leaf.effective_at.timestamp_micros()),
        (Field::Reverses, posting.act == leaf.act),
        (Field::MetadataHash, posting.metadata_hash == leaf.metadata_hash),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Outcome::ExistsWithDifferent(field),
        None => Outcome::Exists { seq: leaf.seq, recorded_at: leaf.recorded_at },
    }
}

fn check_count(legs: &[Leg]) -> Result<(), Refusal> {
    match legs.len() {
        0 | 1 => Err(Refusal::TooFewLegs),
        2..=LEGS_MAX => Ok(()),
        _ => Err(Refusal::TooManyLegs),
    }
}

fn check_amounts(legs: &[Leg]) -> Result<(), Refusal> {
    if legs.iter().any(|leg| leg.amount == 0) {
        return Err(Refusal::AmountZero);
    }
    let in_range = legs.iter().all(|leg| (-MINOR_MAX..=MINOR_MAX).contains(&leg.amount));
    if in_range { Ok(()) } else { Err(Refusal::AmountOutOfRange) }
}

fn check_accounts_differ(legs: &[Leg]) -> Result<(), Refusal> {
    let differ = match legs {
        [one, other] => one.account != other.account,
        _ => legs.iter().map(|leg| leg.account).collect::<HashSet<_>>().len() == legs.len(),
    };
    if differ { Ok(()) } else { Err(Refusal::SameAccount) }
}

/// At most [`LEGS_MAX`] amounts of at most 10^18 add up without overflow.
fn check_balanced(legs: &[LeafLeg]) -> Result<(), Refusal> {
    let sum = |legs: &mut dyn Iterator<Item = &LeafLeg>| legs.map(|leg| i128::from(leg.amount)).sum::<i128>();
    if sum(&mut legs.iter()) != 0 {
        return Err(Refusal::Unbalanced);
    }
    assert!(legs.len() >= 2, "the count was checked before");
    let first = legs[0].currency;
    if legs.iter().all(|leg| leg.currency == first) {
        return Ok(());
    }
    let currencies: HashSet<Currency> = legs.iter().map(|leg| leg.currency).collect();
    let balanced = |currency| sum(&mut legs.iter().filter(|leg| leg.currency == currency)) == 0;
    if currencies.into_iter().all(balanced) { Ok(()) } else { Err(Refusal::CurrencyMismatch) }
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
