//! Every test that needs a database or several crates, in one binary.

mod ledger_kit;
mod ledger_posting;
mod testkit;
