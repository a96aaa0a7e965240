//! What the `bitnexus` binary is made of: roles, operator commands, configuration and the private PostgreSQL.

pub mod commands;
pub mod migrations;
pub mod postgres;
