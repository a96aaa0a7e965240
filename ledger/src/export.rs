//! What is written out of the ledger, for those who do not ask its database.

pub mod tiles;
