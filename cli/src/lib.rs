//! What the `bitnexus` binary is made of: roles, operator commands, configuration and the private PostgreSQL.
//!
//! `commands` holds one file a command; each has its flags, their environment variables and their help beside the code
//! that uses them. Everything else here serves them: `config` what several share, `telemetry` logs and metrics,
//! `folder` the state that `bitnexus up` keeps, `postgres` the server that it brings along.

#[macro_use]
mod output;

mod ask;
pub mod commands;
pub mod config;
pub mod discovery;
pub mod folder;
pub mod keys;
pub mod migrations;
pub mod mirror;
mod operator;
pub mod postgres;
pub mod program;
#[cfg(target_os = "linux")]
mod resting;
mod schedules;
pub mod systemd;
pub mod telemetry;
pub mod tls;
pub mod webhooks;
pub mod witnesses;
