//! The API over a real socket on a real database.

mod document;
mod flow;
mod harness;
mod ledger;
mod operate;
mod reconciliation;
mod recorded;
mod transport;
mod wrong_input;
