//! The bridge to an Erlang ledger outside: what our ledger records is told to it in order, and its histories are compared
//! with ours (docs/ERLANG.md).
//!
//! The client of the distribution protocol (`term`, `epmd`, `handshake`, `node`) is a folder of this crate: only the job and
//! the comparison call it, and whoever verifies the ledger with the crate `ledger` needs no network. It is our own since the
//! peer is not believed: room for a message is made as it comes, terms are bounded, and a wrong cookie can be told from a
//! node that is down.

mod client;
mod compare;
mod epmd;
mod feed;
mod handshake;
pub(crate) mod metrics;
pub mod node;
pub mod term;
mod transaction;

pub use client::Mirror;

pub(crate) use compare::{Task, keep as keep_compared, page as compare};
pub(crate) use feed::{Round, round};
