//! One metrics page for a supervisor and all its children, in Prometheus' text format.

pub mod merge;
pub mod page;
mod totals;
mod usage;
