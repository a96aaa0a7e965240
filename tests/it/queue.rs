//! The queue, on a real database, mostly through the real worker.

mod batches;
mod cancelling;
mod control;
mod control_model;
mod enqueueing;
mod explain;
mod fencing;
mod outages;
mod outcomes;
mod pausing;
mod plans;
mod schedule;
mod stopping;
mod support;
