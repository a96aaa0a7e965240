//! `/api/v1/sessions`

pub(crate) mod create;
