//! Every test that needs a database or several crates, in one binary.

mod ledger_kit;
mod ledger_log;
mod ledger_plans;
mod ledger_posting;
mod ledger_verify;
mod testkit;
