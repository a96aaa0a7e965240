//! `/api/v1/products`

pub(crate) mod create;
pub(crate) mod get;
pub(crate) mod list;
