//! A private PostgreSQL: found on the machine, started by us, reached over a Unix socket by peer authentication only.
//!
//! No crate does this for us: the one that exists turns `fsync` off, cannot run as root, does not look for what the
//! machine has, and protects from no orphan. What has to be known is little, and stands in these files.

pub mod account;
pub mod discover;
pub mod ephemeral;
pub mod initdb;
pub mod install;
mod orphans;
pub mod private;
pub mod settings;
pub mod socket;
mod words;
