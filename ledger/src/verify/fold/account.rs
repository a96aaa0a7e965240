//! One account: what its row says for ever, and what follows from the leaves so far.

use std::hash::{BuildHasher as _, RandomState};

use uuid::Uuid;

use crate::leaf::{Leaf, LeafLeg};
use crate::verify::rows::{AccountRow, EntryRow};
use crate::{AccountId, Currency};

/// An account in the middle of the log.
pub(crate) struct AccountFold {
    /// `None` if the row names none that there is.
    pub(crate) currency: Option<Currency>,
    pub(crate) overdraft: bool,
    pub(crate) balance: i64,
    pub(crate) held_out: i64,
    pub(crate) held_in: i64,
    pub(crate) version: i64,
    /// Whether a leaf has closed it; which one, the fold knows.
    pub(crate) is_closed: bool,
}

/// Hashes entries so that two sets of them can be compared by their sums, in whatever order each is read: with a key that is
/// new and random in each run, sets that differ have the same sum once in 2^64.
#[derive(Clone, Default)]
pub(crate) struct EntryHasher(RandomState);

impl EntryHasher {
    pub(crate) fn hash(&self, account: Uuid, entry: &EntryRow) -> u64 {
        let effective_at = entry.effective_at.unwrap_or(i64::MIN);
        self.0.hash_one((
            account.as_u128(),
            [entry.version as u64, entry.seq as u64, entry.amount as u64, entry.balance as u64, effective_at as u64],
        ))
    }
}

/// The time that the entries of a leaf have: none where it counts from when it was recorded.
pub(crate) fn effective(leaf: &Leaf) -> Option<i64> {
    (leaf.effective_at != leaf.recorded_at).then(|| leaf.effective_at.timestamp_micros())
}

impl AccountFold {
    pub(crate) fn open(row: &AccountRow) -> AccountFold {
        AccountFold {
            currency: Currency::parse(&row.currency).ok(),
            overdraft: row.overdraft,
            balance: 0,
            held_out: 0,
            held_in: 0,
            version: 0,
            is_closed: false,
        }
    }

    /// Moves a leg: what its entry has to be, and whether the account is within its bound, and its balance within 64 bits,
    /// afterwards.
    pub(crate) fn add(&mut self, seq: i64, leg: &LeafLeg, effective_at: Option<i64>) -> (EntryRow, bool) {
        let (balance, overflows) = self.balance.overflowing_add(leg.amount);
        self.balance = balance;
        self.version += 1;
        let entry = EntryRow { version: self.version, seq, amount: leg.amount, balance, effective_at };
        (entry, !overflows && self.is_within_bound())
    }

    /// Whether what is available is not below zero, unless it may be.
    pub(crate) fn is_within_bound(&self) -> bool {
        self.overdraft || self.balance >= self.held_out
    }

    /// Sets a leg aside; whether the account is within its bound, and what is held within 64 bits, afterwards.
    pub(crate) fn hold(&mut self, amount: i64) -> bool {
        let held = if amount < 0 { &mut self.held_out } else { &mut self.held_in };
        let (sum, overflows) = held.overflowing_add(amount.saturating_abs());
        *held = sum;
        !overflows && self.is_within_bound()
    }

    /// Sets a leg free that was set aside before.
    pub(crate) fn free(&mut self, amount: i64) {
        let held = if amount < 0 { &mut self.held_out } else { &mut self.held_in };
        *held = held.wrapping_sub(amount.saturating_abs());
    }

    /// The columns of the row that say something else than follows from the leaves.
    pub(crate) fn differences(
        &self,
        row: &AccountRow,
        closed_seq: Option<i64>,
    ) -> impl Iterator<Item = (AccountId, &'static str)> + use<> {
        let account = AccountId(row.id);
        let columns = [
            ("currency", self.currency.is_some()),
            ("balance", row.balance == self.balance),
            ("version", row.version == self.version),
            ("held_out", row.held_out == self.held_out),
            ("held_in", row.held_in == self.held_in),
            ("closed_seq", row.closed_seq == closed_seq),
        ];
        columns.into_iter().filter(|(_, same)| !same).map(move |(column, _)| (account, column))
    }
}
