//! `/api/v1/ledger`: the log of the caller's book, as C2SP tools read it.
//!
//! Any caller may read checkpoint, hashes and proofs: they tell how many transactions there are and nothing of what is in
//! them, since each leaf has random identifiers that nobody guesses. Entries have accounts and amounts, so bundles of them
//! are for staff; a receipt, and the leaf that it proves, is for whoever may see its transaction. Nothing is shown that is
//! not signed for, since only that stays as it is.

pub(crate) mod checkpoint;
pub(crate) mod consistency;
pub(crate) mod entries;
pub(crate) mod inclusion;
pub(crate) mod leaf;
pub(crate) mod receipt;
pub(crate) mod signed;
pub(crate) mod tile;
pub(crate) mod witnessed;
pub(crate) mod witnessed_receipt;
