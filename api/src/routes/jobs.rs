//! Operations on jobs.

pub(super) mod act;
pub(super) mod bulk;
pub(super) mod cancel;
pub(super) mod dead_letters;
pub(super) mod delete;
pub(super) mod enqueue;
pub(super) mod explain;
pub(super) mod filter;
pub(super) mod get;
pub(super) mod kinds;
pub(super) mod list;
pub(super) mod pause_kind;
pub(super) mod payload;
pub(super) mod prioritise;
pub(super) mod redrive;
pub(super) mod reschedule;
pub(super) mod resume_kind;
pub(super) mod retry;
