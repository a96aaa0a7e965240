//! `/api/v1/transactions`

pub(crate) mod answer;
pub(crate) mod create;
pub(crate) mod create_batch;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod post;
pub(crate) mod response;
pub(crate) mod reverse;
pub(crate) mod void;
