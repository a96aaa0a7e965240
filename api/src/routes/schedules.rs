//! Operations on schedules.

pub(super) mod change;
pub(super) mod create;
pub(super) mod delete;
pub(super) mod get;
pub(super) mod list;
pub(super) mod pause;
pub(super) mod policy;
pub(super) mod resume;
pub(super) mod revert;
pub(super) mod run;
pub(super) mod ticks;
