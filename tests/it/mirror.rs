//! The mirror: a real Erlang node is told what the ledger records, whatever happens to it meanwhile.

mod comparing;
mod kit;
mod nodes;
mod workers;
