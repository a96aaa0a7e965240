//! Transactions over HTTP: every kind, with a worker that records them.

mod elixir;
mod fire;
mod holds;
pub(in crate::api) mod kit;
mod legs;
mod lists;
mod plans;
mod purchases;
mod reconciled;
mod reversals;
mod statements;
mod together;
