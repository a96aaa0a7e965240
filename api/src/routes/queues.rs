//! Operations on queues and limits.

pub(super) mod get;
pub(super) mod limit;
pub(super) mod limits;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod reset_limit;
pub(super) mod resume;
pub(super) mod set_limit;
