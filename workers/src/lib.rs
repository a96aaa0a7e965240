<<<<<<< HEAD
//! Worker processes: the supervisor that keeps them running, their life inside, and the one metrics page for all of them.

pub mod metrics;
pub mod supervisor;
=======
//! Worker processes: a supervisor over children that run jobs.

pub mod child;
>>>>>>> queue
