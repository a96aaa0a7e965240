//! The testkit: a real PostgreSQL of its own for the whole test run, and a fresh database for each test.

pub mod database;
pub mod people;
