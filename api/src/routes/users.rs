//! `/api/v1/users`

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod erase;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod me;
pub(crate) mod process;
pub(crate) mod products;
pub(crate) mod statistics;
pub(crate) mod transactions;
pub(crate) mod update;
pub(crate) mod wallets;
