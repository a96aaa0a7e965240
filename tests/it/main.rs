//! Every test that needs a database or several crates, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails, helper functions included")]

mod api;
mod chaos;
mod domain;
mod history;
mod import;
mod import_client;
mod import_plan;
mod jobs;
mod ledger_acts;
mod ledger_contention;
mod ledger_export;
mod ledger_grants;
mod ledger_groups;
mod ledger_history;
mod ledger_holds;
mod ledger_invariants;
mod ledger_keys;
mod ledger_kills;
mod ledger_kit;
mod ledger_log;
mod ledger_model;
mod ledger_mutations;
mod ledger_plans;
mod ledger_posting;
mod ledger_property;
mod ledger_publish;
mod ledger_refusals;
mod ledger_verify;
mod log_commands;
mod log_export;
mod log_kit;
mod log_oracles;
mod log_outside;
mod log_plans;
mod log_witness;
mod queue;
mod reconciliation;
mod supervisor;
mod testkit;
mod tidy;
mod up;
mod up_refusals;
mod up_user;
mod zombie;
