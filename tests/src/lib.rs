//! The testkit: a real PostgreSQL of its own for the whole test run, and a fresh database for each test.

pub mod binary;
pub mod database;
pub mod people;
pub mod processes;
pub mod random;
pub mod retail;
pub mod scripted;
pub mod service;
pub mod state;
pub mod wait;
