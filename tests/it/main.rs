//! Every test that needs a database or several crates, in one binary.

mod api;
mod domain;
mod testkit;
mod tidy;
