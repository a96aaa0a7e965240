//! The simplest ledger that there can be: a list of what was recorded, from which everything is added up anew each time. It
//! shares no code with the real one, and is what the real one is compared with.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::{AccountId, Act, Currency, Field, Outcome, Posting, Refusal, TransactionId};
use proptest::prelude::*;
use uuid::Uuid;

/// One that was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) asked: Posting,
    pub(crate) legs: Vec<(AccountId, i128)>,
    pub(crate) at: DateTime<Utc>,
}

/// All that was recorded and refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// Currency, and whether it may be below zero.
    pub(crate) accounts: BTreeMap<AccountId, (Currency, bool)>,
    pub(crate) log: Vec<Record>,
    pub(crate) refused: BTreeMap<TransactionId, Refusal>,
}

fn moves(act: Act) -> bool {
    !matches!(act, Act::Hold { .. } | Act::Void(_) | Act::Expire(_) | Act::Close)
}

impl Model {
    pub(crate) fn balance(&self, account: AccountId) -> i128 {
        self.balance_at(account, self.log.len())
    }

    /// The balance after so many transactions.
    pub(crate) fn balance_at(&self, account: AccountId, size: usize) -> i128 {
        let moved = self.log[..size].iter().filter(|record| moves(record.asked.act));
        moved.flat_map(|record| &record.legs).filter(|leg| leg.0 == account).map(|leg| leg.1).sum()
    }

    /// The balance of what counts from then or before.
    pub(crate) fn balance_effective(&self, account: AccountId, time: DateTime<Utc>) -> i128 {
        let counts = |record: &&Record| record.asked.effective_at.unwrap_or(record.at) <= time;
        let moved = self.log.iter().filter(|record| moves(record.asked.act)).filter(counts);
        moved.flat_map(|record| &record.legs).filter(|leg| leg.0 == account).map(|leg| leg.1).sum()
    }

    /// What open holds would take, and what they would bring.
    pub(crate) fn held(&self, account: AccountId) -> (i128, i128) {
        let open = self.log.iter().filter(|record| self.is_open(record.asked.id));
        let amounts: Vec<i128> =
            open.flat_map(|record| &record.legs).filter(|leg| leg.0 == account).map(|leg| leg.1).collect();
        (amounts.iter().map(|amount| (-amount).max(0)).sum(), amounts.iter().map(|amount| *amount.max(&0)).sum())
    }

    pub(crate) fn is_closed(&self, account: AccountId) -> bool {
        self.log.iter().any(|record| record.asked.act == Act::Close && record.legs[0].0 == account)
    }

    fn is_open(&self, id: TransactionId) -> bool {
        let is_hold = self.find(id).is_some_and(|record| matches!(record.asked.act, Act::Hold { .. }));
        let ends = |act| matches!(act, Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) if hold == id);
        is_hold && !self.log.iter().any(|record| ends(record.asked.act))
    }

    fn find(&self, id: TransactionId) -> Option<&Record> {
        self.log.iter().find(|record| record.asked.id == id)
    }

    fn next_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.log.last().map_or(now, |last| now.max(last.at + TimeDelta::microseconds(1)))
    }

    /// Decides on a batch that comes at this time.
    pub(crate) fn batch(&mut self, batch: &[Posting], now: DateTime<Utc>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for chain in batch.split_inclusive(|posting| !posting.linked) {
            outcomes.extend(self.chain(chain, now));
        }
        outcomes
    }

    fn chain(&mut self, chain: &[Posting], now: DateTime<Utc>) -> Vec<Outcome> {
        let mut trial = self.clone();
        let mut outcomes = Vec::new();
        for (index, posting) in chain.iter().enumerate() {
            let open_end = index + 1 == chain.len() && posting.linked;
            let outcome = if open_end { Outcome::Refused(Refusal::LinkedChainOpen) } else { trial.one(posting, now) };
            if !matches!(outcome, Outcome::Created { .. } | Outcome::Exists { .. }) {
                return self.broken(chain, index, outcome);
            }
            outcomes.push(outcome);
        }
        *self = trial;
        outcomes
    }

    fn broken(&mut self, chain: &[Posting], index: usize, own: Outcome) -> Vec<Outcome> {
        if let Outcome::Refused(refusal) = own
            && refusal.is_final()
        {
            self.refused.insert(chain[index].id, refusal);
        }
        let other = |posting: &Posting| match self.find(posting.id).map(|record| self.compare(posting, record)) {
            Some(exists @ Outcome::Exists { .. }) => exists,
            _ => Outcome::Refused(Refusal::LinkedFailed),
        };
        chain.iter().enumerate().map(|(n, posting)| if n == index { own } else { other(posting) }).collect()
    }

    fn one(&mut self, posting: &Posting, now: DateTime<Utc>) -> Outcome {
        if let Some(record) = self.find(posting.id) {
            return self.compare(posting, record);
        }
        if let Some(refusal) = self.refused.get(&posting.id) {
            return Outcome::Refused(*refusal);
        }
        let at = self.next_at(now);
        match self.legs(posting, at) {
            Ok(legs) => {
                let seq = self.log.len() as i64;
                self.log.push(Record { asked: posting.clone(), legs, at });
                Outcome::Created { seq, recorded_at: at }
            }
            Err(refusal) => {
                if refusal.is_final() {
                    self.refused.insert(posting.id, refusal);
                }
                Outcome::Refused(refusal)
            }
        }
    }

    fn compare(&self, posting: &Posting, record: &Record) -> Outcome {
        let asked = &record.asked;
        let of = |posting: &Posting| -> Vec<(AccountId, i128)> {
            match posting.act {
                Act::Capture(hold) if posting.legs.is_empty() && posting.act == asked.act => {
                    self.find(hold).unwrap().legs.clone()
                }
                _ => posting.legs.iter().map(|leg| (leg.account, leg.amount)).collect(),
            }
        };
        let whole_of_another = posting.act != asked.act && matches!(posting.act, Act::Capture(_));
        let effective_at = |posting: &Posting| posting.effective_at.unwrap_or(record.at);
        let different = if posting.code != asked.code {
            Some(Field::Code)
        } else if of(posting) != of(asked) && !(whole_of_another && posting.legs.is_empty()) {
            Some(Field::Legs)
        } else if effective_at(posting) != effective_at(asked) {
            Some(Field::EffectiveAt)
        } else if posting.act != asked.act {
            Some(Field::Act)
        } else if posting.metadata_hash != asked.metadata_hash {
            Some(Field::MetadataHash)
        } else {
            None
        };
        let seq = self.log.iter().position(|other| other.asked.id == posting.id).unwrap() as i64;
        different.map_or(Outcome::Exists { seq, recorded_at: record.at }, Outcome::ExistsWithDifferent)
    }

    /// What is recorded for a posting at this time, or why it is not. Of what can be wrong with a posting's shape, only what
    /// [`histories`] makes is known here.
    fn legs(&self, posting: &Posting, at: DateTime<Utc>) -> Result<Vec<(AccountId, i128)>, Refusal> {
        let mut legs: Vec<(AccountId, i128)> = posting.legs.iter().map(|leg| (leg.account, leg.amount)).collect();
        let is_close = posting.act == Act::Close;
        if legs.len() == 2 && legs[0].0 == legs[1].0 {
            return Err(Refusal::SameAccount);
        }
        if legs.iter().any(|leg| !self.accounts.contains_key(&leg.0)) {
            return Err(Refusal::AccountNotFound);
        }
        if legs.iter().any(|leg| self.is_closed(leg.0)) {
            return Err(Refusal::AccountClosed);
        }
        if legs.iter().map(|leg| leg.1).sum::<i128>() != 0 {
            return Err(Refusal::Unbalanced);
        }
        let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
        legs.iter().for_each(|leg| *sums.entry(self.accounts[&leg.0].0.code()).or_default() += leg.1);
        if sums.values().any(|sum| *sum != 0) {
            return Err(Refusal::CurrencyMismatch);
        }
        self.check_reversal(posting.act, &legs)?;
        if let Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) = posting.act {
            return self.end_hold(posting.act, hold, legs, at);
        }
        if matches!(posting.act, Act::Hold { expires_at: Some(expires_at) } if expires_at <= at) {
            return Err(Refusal::TimeoutInPast);
        }
        if is_close {
            let account = legs[0].0;
            if self.balance(account) != 0 {
                return Err(Refusal::AccountNotEmpty);
            }
            return if self.held(account) == (0, 0) { Ok(legs) } else { Err(Refusal::AccountHasHolds) };
        }
        if let Act::PostUpTo { .. } = posting.act {
            let payer = legs.iter().find(|leg| leg.1 < 0).unwrap().0;
            let available = self.balance(payer) - self.held(payer).0;
            let most = if self.accounts[&payer].1 { i128::MAX } else { available };
            legs.iter_mut().for_each(|leg| leg.1 = leg.1.signum() * leg.1.abs().min(most));
            if most == 0 {
                return Err(Refusal::InsufficientFunds);
            }
        }
        let poor = |leg: &(AccountId, i128)| {
            !self.accounts[&leg.0].1 && self.balance(leg.0) - self.held(leg.0).0 + leg.1.min(0) < 0
        };
        if legs.iter().any(poor) { Err(Refusal::InsufficientFunds) } else { Ok(legs) }
    }

    fn check_reversal(&self, act: Act, legs: &[(AccountId, i128)]) -> Result<(), Refusal> {
        let (Act::Reverse(id) | Act::ReversePart(id)) = act else { return Ok(()) };
        let is_whole = act == Act::Reverse(id);
        let original = self.find(id).ok_or(Refusal::OriginalNotFound)?;
        if !moves(original.asked.act) {
            return Err(Refusal::NotReversible);
        }
        let of = |legs: &[(AccountId, i128)], account| -> i128 {
            legs.iter().filter(|leg| leg.0 == account).map(|leg| leg.1).sum()
        };
        let is_inverse = legs.len() == original.legs.len() && original.legs.iter().all(|leg| of(legs, leg.0) == -leg.1);
        if is_whole && !is_inverse {
            return Err(Refusal::ReversalMismatch);
        }
        if self.log.iter().any(|record| record.asked.act == Act::Reverse(id)) {
            return Err(Refusal::AlreadyReversed);
        }
        let parts: Vec<&Record> = self.log.iter().filter(|record| record.asked.act == Act::ReversePart(id)).collect();
        if is_whole {
            return if parts.is_empty() { Ok(()) } else { Err(Refusal::PartlyReversed) };
        }
        let exceeds = |leg: &(AccountId, i128)| {
            let before: i128 = parts.iter().map(|part| of(&part.legs, leg.0)).sum();
            let whole = -of(&original.legs, leg.0);
            // Within: between nothing and the whole.
            leg.1 * whole <= 0 || (before + leg.1).abs() > whole.abs()
        };
        if legs.iter().any(exceeds) { Err(Refusal::ReversalExceedsOriginal) } else { Ok(()) }
    }

    fn end_hold(
        &self,
        act: Act,
        id: TransactionId,
        legs: Vec<(AccountId, i128)>,
        at: DateTime<Utc>,
    ) -> Result<Vec<(AccountId, i128)>, Refusal> {
        let hold = self.find(id).ok_or(Refusal::HoldNotFound)?;
        let Act::Hold { expires_at } = hold.asked.act else { return Err(Refusal::NotAHold) };
        if !self.is_open(id) {
            return Err(Refusal::HoldEnded);
        }
        let is_over = expires_at.is_some_and(|expires_at| at >= expires_at);
        match act {
            Act::Expire(_) => return if is_over { Ok(legs) } else { Err(Refusal::HoldNotExpired) },
            _ if is_over => return Err(Refusal::HoldExpired),
            Act::Void(_) => return Ok(legs),
            _ if legs.is_empty() => return Ok(hold.legs.clone()),
            _ => (),
        }
        let is_within = |leg: &(AccountId, i128)| {
            hold.legs.iter().any(|held| held.0 == leg.0 && held.1 * leg.1 > 0 && leg.1.abs() <= held.1.abs())
        };
        if legs.iter().all(is_within) { Ok(legs) } else { Err(Refusal::CaptureExceedsHold) }
    }
}

/// One posting of a history, before it is known what stands before it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    kind: u8,
    from: usize,
    to: usize,
    amount: i128,
    /// Which of those before it it is about.
    about: prop::sample::Index,
    /// Whether its id is that of one before it, and whether it is that one.
    reuse: u8,
    linked: bool,
    /// Minutes from the beginning of time.
    minutes: i64,
    flavour: u8,
}

/// How many accounts a history has: the first two of each currency may be below zero.
pub(crate) const ACCOUNTS: usize = 8;

/// Whether an account is in pounds (the others are in euros), and whether it may be below zero.
pub(crate) fn account_is(index: usize) -> (Currency, bool) {
    (if index < 5 { Currency::GBP } else { Currency::EUR }, index == 0 || index == 5)
}

/// Batches of steps.
pub(crate) fn histories(batches: usize) -> impl Strategy<Value = Vec<Vec<Step>>> {
    let pounds_mostly = prop_oneof![4 => 0..5usize, 2 => 5..ACCOUNTS, 1 => 0..ACCOUNTS];
    let pair = (pounds_mostly, 0..ACCOUNTS, 0..4u8).prop_map(|(from, to, cross)| {
        let (start, count) = if from < 5 { (0, 5) } else { (5, ACCOUNTS - 5) };
        // Of one currency, mostly.
        (from, if cross == 0 { to } else { start + to % count })
    });
    let numbers = (any::<prop::sample::Index>(), 0..12u8, prop::bool::weighted(0.2), -90..90i64, 0..6u8);
    let step = (0..20u8, pair, 1..40i128, numbers).prop_map(
        |(kind, (from, to), amount, (about, reuse, linked, minutes, flavour))| Step {
            kind,
            from,
            to,
            amount,
            about,
            reuse,
            linked,
            minutes,
            flavour,
        },
    );
    prop::collection::vec(prop::collection::vec(step, 1..14), 1..batches)
}

/// The postings of a history, one after the other: each may be about any of those before it, whatever became of them.
pub(crate) struct Script {
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) begin: DateTime<Utc>,
    before: Vec<Posting>,
}

impl Script {
    pub(crate) fn new(accounts: Vec<AccountId>, begin: DateTime<Utc>) -> Script {
        Script { accounts, begin, before: Vec::new() }
    }

    pub(crate) fn posting(&mut self, step: &Step) -> Posting {
        let mut posting = self.fresh(step);
        if step.reuse == 0 && !self.before.is_empty() {
            let other = step.about.get(&self.before);
            posting = if step.flavour < 4 { other.clone() } else { Posting { id: other.id, ..posting } };
        }
        posting.linked = step.linked;
        self.before.push(posting.clone());
        posting
    }

    fn fresh(&self, step: &Step) -> Posting {
        let (from, to) = (self.accounts[step.from], self.accounts[step.to]);
        let time = self.begin + TimeDelta::minutes(step.minutes);
        let other = self.other(step);
        let id = other.map_or(TransactionId(Uuid::nil()), |other| other.id);
        let transfer = vec![(from, -step.amount), (to, step.amount)];
        // So much of the other's legs, with this sign; of some kinds more than there is.
        let most = |amount: i128| if matches!(step.kind, 11 | 16) { i128::MAX } else { amount.abs() };
        let part = |sign: i128| -> Vec<(AccountId, i128)> {
            let legs = other.iter().flat_map(|other| &other.legs);
            legs.map(|leg| (leg.account, sign * leg.amount.signum() * step.amount.min(most(leg.amount)))).collect()
        };
        let turned = other.iter().flat_map(|other| &other.legs).map(|leg| (leg.account, -leg.amount)).collect();
        // Soon enough that some are over before the history is.
        let expires_at = (step.flavour > 1).then_some(self.begin + TimeDelta::minutes(step.minutes.abs() / 3));
        let (act, legs) = match step.kind {
            0..=2 => (Act::Post, transfer),
            3 | 4 => (Act::Post, self.exchange(step)),
            5..=7 => (Act::Hold { expires_at }, transfer),
            8 => (Act::Hold { expires_at }, self.exchange(step)),
            9 => (Act::Capture(id), Vec::new()),
            10 | 11 => (Act::Capture(id), part(1)),
            12 => (Act::Void(id), Vec::new()),
            13 => (Act::Expire(id), Vec::new()),
            14 => (Act::Reverse(id), turned),
            15 | 16 => (Act::ReversePart(id), part(-1)),
            17 | 18 => (Act::PostUpTo { asked: i64::try_from(step.amount).unwrap() }, transfer),
            _ => (Act::Close, vec![(from, 0)]),
        };
        // What has no legs to take, because nothing is before it or that has none, is about a transfer that is not there.
        let has_none = matches!(act, Act::Reverse(_) | Act::ReversePart(_) | Act::Capture(_)) && legs.len() < 2;
        let zero = legs.iter().any(|leg| leg.1 == 0) && act != Act::Close;
        let legs =
            if (has_none && step.kind != 9) || zero { vec![(from, -step.amount), (to, step.amount)] } else { legs };
        Posting {
            id: TransactionId(Uuid::from_u128(self.before.len() as u128 + 1)),
            code: u16::from(step.flavour),
            legs: legs.into_iter().map(|(account, amount)| ledger::Leg { account, amount }).collect(),
            effective_at: (step.flavour.is_multiple_of(2)).then_some(time),
            act,
            metadata_hash: [0; 32],
            linked: false,
        }
    }

    /// The posting that a step is about: mostly one that it can be about.
    fn other(&self, step: &Step) -> Option<&Posting> {
        let fits = |posting: &&Posting| match step.kind {
            9..=13 => matches!(posting.act, Act::Hold { .. }),
            14..=16 => moves(posting.act) && posting.legs.len() > 1,
            _ => false,
        };
        // One of the last few, so that several are about the same.
        let fitting: Vec<&Posting> = self.before.iter().rev().filter(fits).take(3).collect();
        match (fitting.is_empty() || step.flavour == 0, self.before.is_empty()) {
            (false, _) => Some(fitting[step.about.index(fitting.len())]),
            (true, false) => Some(step.about.get(&self.before)),
            (true, true) => None,
        }
    }

    /// Pounds one way and euros the other.
    fn exchange(&self, step: &Step) -> Vec<(AccountId, i128)> {
        let [a, b, c, d] =
            [step.from % 5, (step.from + 1 + step.to % 4) % 5, 5, 6 + step.to % 2].map(|n| self.accounts[n]);
        vec![(a, -step.amount), (b, step.amount), (c, -step.amount - 1), (d, step.amount + 1)]
    }
}
