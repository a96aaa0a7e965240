//! The testkit: a real PostgreSQL of its own for the whole test run, and a fresh database for each test.

pub mod again;
pub mod binary;
pub mod bouncer;
pub mod certificate;
pub mod database;
pub mod erlang;
pub mod faketime;
pub mod outside;
pub mod people;
pub mod processes;
pub mod proxy;
pub mod random;
pub mod receiver;
pub mod retail;
pub mod scripted;
pub mod server;
pub mod service;
pub mod sse;
pub mod state;
pub mod wait;
