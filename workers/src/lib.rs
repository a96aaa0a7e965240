//! Worker processes: a supervisor over children that run jobs.

pub mod child;
