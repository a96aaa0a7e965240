//! `/api/v1/sessions`

pub(crate) mod create;
pub(crate) mod end;
pub(crate) mod end_all;
pub(crate) mod end_current;
pub(crate) mod list;
pub(crate) mod refresh;
