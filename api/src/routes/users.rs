//! `/api/v1/users`

pub(crate) mod create;
pub(crate) mod erase;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod process;
pub(crate) mod statistics;
