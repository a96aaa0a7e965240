//! `bitnexus import`: brings the orders of a file in through the HTTP API, as any other client would.

pub mod file;
pub mod line;
pub mod plan;
