//! What a transaction does beside moving its legs: to a hold, to an earlier transaction, to an account.

use chrono::{DateTime, Utc};

use crate::TransactionId;

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Its legs move.
    Post,
    /// Its two legs move as much as their bound allows, and no more than was asked for.
    PostUpTo {
        /// What was asked for, in minor units; above zero.
        asked: i64,
    },
    /// Its legs undo another transaction, whole.
    Reverse(TransactionId),
    /// Its legs undo a part of another transaction.
    ReversePart(TransactionId),
    /// Its legs are held: what they take is set aside until a capture, a void or an expiry.
    Hold {
        /// From when on it can only expire, in whole microseconds; none: it waits for ever.
        expires_at: Option<DateTime<Utc>>,
    },
    /// Its legs move out of a hold, whole or in part; the rest of the hold is free again.
    Capture(TransactionId),
    /// Frees a hold; it has no legs.
    Void(TransactionId),
    /// Frees a hold whose time is over; it has no legs.
    Expire(TransactionId),
    /// Closes the account of its one leg, which moves nothing.
    Close,
}

impl Act {
    /// The transaction that it undoes whole.
    pub const fn reverses(self) -> Option<TransactionId> {
        match self {
            Act::Reverse(original) => Some(original),
            _ => None,
        }
    }

    /// The transaction that it undoes a part of.
    pub const fn reverses_part(self) -> Option<TransactionId> {
        match self {
            Act::ReversePart(original) => Some(original),
            _ => None,
        }
    }

    /// The hold that it ends.
    pub const fn resolves(self) -> Option<TransactionId> {
        match self {
            Act::Capture(hold) | Act::Void(hold) | Act::Expire(hold) => Some(hold),
            _ => None,
        }
    }

    /// Whether its legs change balances, and so have entries.
    pub const fn moves(self) -> bool {
        matches!(self, Act::Post | Act::PostUpTo { .. } | Act::Reverse(_) | Act::ReversePart(_) | Act::Capture(_))
    }
}
