//! `/api/v1/jobs`

pub(crate) mod get;
