//! Files of users and products: sending one, and seeing what became of its rows.

pub(crate) mod create;
pub(crate) mod errors;
pub(crate) mod errors_csv;
pub(crate) mod get;
pub(crate) mod list;
