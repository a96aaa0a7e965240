//! The event log: every follower sees every event once, in the order of the commits (invariant I10).

mod catalogue;
mod kit;
mod log;
mod order;
mod processes;
