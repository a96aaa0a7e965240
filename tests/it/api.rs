//! The API over a real socket on a real database.

mod accounts;
mod document;
mod erasure;
mod events;
mod flow;
mod harness;
mod imports;
mod ledger;
mod matrix;
mod operate;
mod process_users;
mod products;
mod protection;
mod reconciliation;
mod recorded;
mod replica;
mod stepped;
mod transactions;
mod transport;
mod webhooks;
mod worker;
mod wrong_input;
