//! The ledger: double-entry postings, each a leaf of an RFC 6962 Merkle log, written by one writer per book.
//!
//! Everything is done on the caller's connection and in the caller's transaction, so that a posting commits together with
//! whatever asked for it. The order in a book is total: a transaction's place (`seq`) is its leaf's index in the log.
//!
//! - [`accounts`] opens and finds accounts, [`posting`] posts to them, [`holds`] lets holds expire, [`history`] reads what was
//!   posted.
//! - [`leaf`] is the canonical encoding, [`merkle`] the tree over it, [`checkpoint`] its signed head, [`keys`] who signs and
//!   [`keyring`] which of them when; [`log`] reads all of it as C2SP tools do, [`receipt`] proves one transaction offline,
//!   [`export`] takes a book out of its database and back, and a [`witness`] of another house sees to it that it only grows.
//! - [`reconcile`] compares what the tables say with one another, [`verify`] derives all of it again and names the first difference.
//!
//! Deliberately absent: jobs, HTTP, floats, clocks other than the database's, and any statement that changes or removes
//! what is recorded.

// Money is never a float.
#![deny(clippy::float_arithmetic)]

// Tests include files that know the crate by its name.
#[cfg(test)]
extern crate self as ledger;

pub mod accounts;
mod act;
pub mod book;
pub mod checkpoint;
pub mod client;
pub mod currency;
pub mod export;
pub mod history;
pub mod holds;
pub mod ids;
pub mod keyring;
pub mod keys;
pub mod leaf;
pub mod log;
pub mod merkle;
pub mod money;
pub mod posting;
pub mod receipt;
pub mod reconcile;
pub mod verify;
pub mod witness;

pub use act::Act;
pub use book::Book;
pub use client::LedgerClient;
pub use currency::{Currency, UnknownCurrency};
pub use ids::{AccountId, GroupId, TransactionId};
pub use money::{AmountError, Money};
pub use posting::{Field, Leg, Outcome, Posting, Refusal};
