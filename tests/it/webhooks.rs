//! Webhooks: what is delivered to whom, how often it is tried, and where it never goes.

mod attempts;
mod dispatching;
mod endings;
mod kit;
mod processes;
mod reach;
mod replays;
