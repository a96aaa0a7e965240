//! Operations on the audit.

pub(super) mod list;
