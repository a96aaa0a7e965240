//! Worker processes: the supervisor that keeps them running, their life inside, and the one metrics page for all of them.

pub mod child;
pub mod metrics;
pub mod supervisor;
