//! What follows from the leaves: fed one by one in order, knowing no SQL.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use uuid::Uuid;

use super::finding::{Finding, Findings};
use crate::accounts::Overdraft;
use crate::leaf::{Leaf, LeafLeg};
use crate::merkle::tiles::Appender;
use crate::merkle::{Hash, leaf_hash};
use crate::{AccountId, Book, Currency, TransactionId};

/// A transaction as its row has it.
pub(super) struct LeafRow<'a> {
    pub(super) seq: i64,
    pub(super) id: Uuid,
    /// Microseconds since the epoch of Unix.
    pub(super) recorded_at: i64,
    pub(super) reverses: Option<Uuid>,
    pub(super) leaf_hash: &'a [u8],
    pub(super) leaf: &'a [u8],
}

/// An account: its row, and what follows from the leaves so far.
pub(super) struct AccountFold {
    /// `None` if the row names none that there is.
    pub(super) currency: Option<Currency>,
    pub(super) overdraft: Overdraft,
    pub(super) row_balance: i64,
    pub(super) row_version: i64,
    pub(super) balance: i128,
    pub(super) version: i64,
    /// The sum of the entries that follow from the leaves, by [`EntryHasher`], less that of those that are there.
    pub(super) entries: u64,
}

/// A leg on its account: what its entry has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) version: i64,
    pub(super) seq: i64,
    pub(super) amount: i64,
    pub(super) balance: i64,
}

/// Hashes entries so that two sets of them can be compared by their sums, in whatever order each is read: with a key that is
/// new and random in each run, sets that differ have the same sum once in 2^64.
#[derive(Clone, Default)]
pub(super) struct EntryHasher(RandomState);

impl EntryHasher {
    pub(super) fn hash(&self, account: Uuid, entry: &Expected) -> u64 {
        self.0.hash_one((account.as_u128(), entry.version, entry.seq, entry.amount, entry.balance))
    }
}

/// A reversal whose original is still to be looked at.
pub(super) struct Reversal {
    pub(super) seq: i64,
    pub(super) original: TransactionId,
    pub(super) legs: Vec<LeafLeg>,
}

/// A checkpoint whose size is still to be reached.
pub(super) struct Signed {
    pub(super) size: i64,
    pub(super) root: Vec<u8>,
}

/// Everything that follows from the leaves so far.
pub(super) struct Fold {
    pub(super) book: Book,
    pub(super) appender: Appender,
    pub(super) accounts: HashMap<Uuid, AccountFold>,
    pub(super) hasher: EntryHasher,
    pub(super) entries: u64,
    /// Microseconds since the epoch of Unix.
    pub(super) recorded_at: Option<i64>,
    pub(super) reversals: Vec<Reversal>,
    /// By size, those ahead.
    pub(super) signed: VecDeque<Signed>,
    pub(super) findings: Findings,
    reversed: HashSet<TransactionId>,
}

impl Fold {
    pub(super) fn new(book: Book, accounts: HashMap<Uuid, AccountFold>, hasher: EntryHasher) -> Fold {
        Fold {
            book,
            appender: Appender::empty(),
            accounts,
            hasher,
            entries: 0,
            recorded_at: None,
            reversals: Vec::new(),
            signed: VecDeque::new(),
            findings: Findings::default(),
            reversed: HashSet::new(),
        }
    }

    /// The seq of the next leaf.
    pub(super) fn next_seq(&self) -> i64 {
        self.appender.frontier().size() as i64
    }

    /// Takes the next row in order; whatever seq it skips is missing.
    pub(super) fn take(&mut self, row: &LeafRow<'_>) {
        self.skip_to(row.seq);
        let transaction = TransactionId(row.id);
        if row.seq != self.next_seq() {
            // Only without its unique index can the table have two rows of one seq.
            return self.findings.add(Finding::LeafColumn { seq: row.seq, transaction, column: "seq" });
        }
        if leaf_hash(row.leaf) != row.leaf_hash {
            self.findings.add(Finding::LeafHash { seq: row.seq, transaction });
        }
        match Leaf::decode(row.leaf) {
            Ok(leaf) => self.take_leaf(row, leaf),
            Err(error) => self.findings.add(Finding::LeafEncoding { seq: row.seq, transaction, error }),
        }
        // A leaf that differs from its hash has its finding; the tree goes on with the hash, so that it stays the only one.
        self.append(Hash::try_from(row.leaf_hash).unwrap_or_default());
    }

    /// Takes note that there is no leaf until `seq`.
    pub(super) fn skip_to(&mut self, seq: i64) {
        while self.next_seq() < seq {
            self.findings.add(Finding::LeafMissing { seq: self.next_seq() });
            self.append(Hash::default());
        }
        assert!(self.next_seq() >= seq, "what is skipped is accounted for");
    }

    fn append(&mut self, hash: Hash) {
        self.appender.push(hash);
        let size = self.next_seq();
        assert!(self.signed.front().is_none_or(|signed| signed.size >= size), "no checkpoint is passed by");
        while let Some(signed) = self.signed.pop_front_if(|signed| signed.size <= size) {
            if signed.root != self.appender.frontier().root() {
                self.findings.add(Finding::CheckpointRoot { size });
            }
        }
    }

    fn take_leaf(&mut self, row: &LeafRow<'_>, leaf: Leaf) {
        self.check_columns(row, &leaf);
        if self.recorded_at.is_some_and(|last| row.recorded_at <= last) {
            self.findings.add(Finding::RecordedAt { seq: row.seq });
        }
        self.recorded_at = Some(row.recorded_at);
        self.check_balanced(row.seq, &leaf.legs);
        for leg in &leaf.legs {
            self.take_leg(row.seq, leg);
        }
        if let Some(original) = leaf.act.reverses() {
            if !self.reversed.insert(original) {
                self.findings.add(Finding::Reversal { seq: row.seq, original, problem: "it is reversed already" });
            }
            self.reversals.push(Reversal { seq: row.seq, original, legs: leaf.legs });
        }
    }

    fn check_columns(&mut self, row: &LeafRow<'_>, leaf: &Leaf) {
        let columns = [
            ("book", leaf.book == self.book.id),
            ("seq", leaf.seq == row.seq),
            ("id", leaf.id.0 == row.id),
            ("recorded_at", leaf.recorded_at.timestamp_micros() == row.recorded_at),
            ("reverses", leaf.act.reverses().map(|original| original.0) == row.reverses),
        ];
        for (column, _) in columns.into_iter().filter(|(_, same)| !same) {
            self.findings.add(Finding::LeafColumn { seq: row.seq, transaction: TransactionId(row.id), column });
        }
    }

    fn check_balanced(&mut self, seq: i64, legs: &[LeafLeg]) {
        let sum = |currency| -> i128 {
            legs.iter().filter(|leg| leg.currency == currency).map(|leg| i128::from(leg.amount)).sum()
        };
        for (n, leg) in legs.iter().enumerate() {
            let is_first = legs[..n].iter().all(|other| other.currency != leg.currency);
            if is_first && sum(leg.currency) != 0 {
                self.findings.add(Finding::Unbalanced { seq, currency: leg.currency.code() });
            }
        }
    }

    fn take_leg(&mut self, seq: i64, leg: &LeafLeg) {
        self.entries += 1;
        let account = leg.account;
        let Some(fold) = self.accounts.get_mut(&account.0) else {
            return self.findings.add(Finding::LegAccount { seq, account });
        };
        if fold.currency != Some(leg.currency) {
            self.findings.add(Finding::LegAccount { seq, account });
        }
        fold.version += 1;
        fold.balance += i128::from(leg.amount);
        let balance = i64::try_from(fold.balance);
        if balance.is_err() || (fold.balance < 0 && !fold.overdraft.is_allowed()) {
            self.findings.add(Finding::Bound { seq, account });
        }
        let balance = balance.unwrap_or_default();
        let expected = Expected { version: fold.version, seq, amount: leg.amount, balance };
        fold.entries = fold.entries.wrapping_add(self.hasher.hash(account.0, &expected));
    }

    /// Compares each account's row with what follows from the leaves.
    pub(super) fn check_accounts(&mut self) {
        let mut differing: Vec<_> =
            self.accounts.iter().flat_map(|(id, fold)| fold.differences(AccountId(*id))).collect();
        differing.sort_unstable();
        for (account, column) in differing {
            self.findings.add(Finding::Account { account, column });
        }
    }
}

impl AccountFold {
    fn differences(&self, account: AccountId) -> impl Iterator<Item = (AccountId, &'static str)> {
        let columns = [
            ("currency", self.currency.is_some()),
            ("balance", i128::from(self.row_balance) == self.balance),
            ("version", self.row_version == self.version),
        ];
        columns.into_iter().filter(|(_, same)| !same).map(move |(column, _)| (account, column))
    }
}
