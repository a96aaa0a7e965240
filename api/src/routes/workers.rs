//! Operations on worker processes.

pub(super) mod list;
