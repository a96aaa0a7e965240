//! Every test that needs a database or several crates, in one binary.

mod chaos;
mod domain;
mod import;
mod import_client;
mod import_plan;
mod testkit;
mod tidy;
