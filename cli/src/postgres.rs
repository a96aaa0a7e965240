//! A private PostgreSQL: found on the machine, started by us, reached over a Unix socket by peer authentication only.

pub mod account;
pub mod discover;
pub mod ephemeral;
pub mod initdb;
