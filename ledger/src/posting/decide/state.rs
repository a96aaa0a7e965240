//! What a decision starts from and what it comes to.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::accounts::Overdraft;
use crate::leaf::Leaf;
use crate::posting::{Outcome, Refusal};
use crate::{AccountId, Currency, TransactionId};

/// An account as the batch finds it, and as it leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::posting) struct AccountState {
    pub(in crate::posting) currency: Currency,
    pub(in crate::posting) overdraft: Overdraft,
    pub(in crate::posting) balance: i64,
    /// What open holds would take.
    pub(in crate::posting) held_out: i64,
    /// What open holds would bring.
    pub(in crate::posting) held_in: i64,
    pub(in crate::posting) version: i64,
    /// The transaction that closed it.
    pub(in crate::posting) closed_seq: Option<i64>,
    /// Whether the batch changes it.
    pub(in crate::posting) is_changed: bool,
}

impl AccountState {
    /// What can be taken, unless the account may be below zero.
    pub(super) fn available(&self) -> i128 {
        i128::from(self.balance) - i128::from(self.held_out)
    }

    /// The account with this much more balance and these amounts more held; none if 64 bits do not hold what comes out, or
    /// would not after any of its holds is captured.
    pub(super) fn after(&self, amount: i64, held_out: i64, held_in: i64) -> Option<AccountState> {
        let balance = self.balance.checked_add(amount)?;
        let (held_out, held_in) = (self.held_out.checked_add(held_out)?, self.held_in.checked_add(held_in)?);
        balance.checked_sub(held_out)?;
        balance.checked_add(held_in)?;
        Some(AccountState { balance, held_out, held_in, ..*self })
    }

    /// Whether the account keeps its bound, if the balance were this much more and this much more of it were held.
    pub(super) fn is_within_bound(&self, amount: i64, held_out: i64) -> bool {
        self.overdraft.is_allowed() || self.available() + i128::from(amount) - i128::from(held_out) >= 0
    }

    pub(in crate::posting) fn assert_sound(&self) {
        assert!(self.held_out >= 0 && self.held_in >= 0, "what is held is never less than nothing");
        assert!(self.overdraft.is_allowed() || self.available() >= 0, "no overdraft unless allowed");
        assert!(self.version > 0 || self.balance == 0, "a balance is made of entries");
    }
}

/// All that the decision needs to know; what a batch does not name may be left out.
#[derive(Debug, Default)]
pub(in crate::posting) struct State {
    /// The number of the book.
    pub(in crate::posting) book: i32,
    /// The seq of the next transaction.
    pub(in crate::posting) size: i64,
    /// The recorded_at of the next transaction; those after it follow by a microsecond.
    pub(in crate::posting) next_at: DateTime<Utc>,
    /// The accounts of the batch, and those of the holds that it ends.
    pub(in crate::posting) accounts: HashMap<AccountId, AccountState>,
    /// The transactions that the batch posts again, reverses, or ends.
    pub(in crate::posting) recorded: HashMap<TransactionId, Leaf>,
    /// The ids of the batch that are refused for good.
    pub(in crate::posting) refused: HashMap<TransactionId, Refusal>,
    /// The originals of the batch that are reversed already, whole.
    pub(in crate::posting) reversed: HashSet<TransactionId>,
    /// What partial reversals took back so far, by original and account, with the sign of the reversals.
    pub(in crate::posting) parts: HashMap<TransactionId, HashMap<AccountId, i64>>,
    /// The holds of the batch that are ended already.
    pub(in crate::posting) ended: HashSet<TransactionId>,
}

/// What a leg does to its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::posting) struct NewEntry {
    pub(in crate::posting) account: AccountId,
    pub(in crate::posting) version: i64,
    pub(in crate::posting) seq: i64,
    pub(in crate::posting) amount: i64,
    pub(in crate::posting) balance: i64,
    /// When it counts from, unless that is when it was recorded.
    pub(in crate::posting) effective_at: Option<DateTime<Utc>>,
}

/// What is to be written, and what is to be answered.
#[derive(Debug, Default)]
pub(in crate::posting) struct Decision {
    /// One for each posting, in the order given.
    pub(in crate::posting) outcomes: Vec<Outcome>,
    /// The transactions to record, in order.
    pub(in crate::posting) leaves: Vec<Leaf>,
    /// Their entries, in order.
    pub(in crate::posting) entries: Vec<NewEntry>,
    /// The accounts that they change, as they are afterwards, in no order.
    pub(in crate::posting) accounts: Vec<(AccountId, AccountState)>,
    /// The ids that are used up by a final refusal.
    pub(in crate::posting) refused: Vec<(TransactionId, Refusal)>,
}
