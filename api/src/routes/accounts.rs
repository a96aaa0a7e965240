//! `/api/v1/accounts`

pub(crate) mod balance;
pub(crate) mod entries;
pub(crate) mod get;
pub(crate) mod statement;
