//! `/api/v1/products`

pub(crate) mod categorize;
pub(crate) mod categorize_all;
pub(crate) mod create;
mod cursor;
mod filter;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod reindex;
pub(crate) mod search;
pub(crate) mod update;
