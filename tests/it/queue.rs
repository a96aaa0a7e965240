//! The queue, on a real database, mostly through the real worker.

mod batches;
mod enqueueing;
mod fencing;
mod outages;
mod outcomes;
mod plans;
mod pooling;
mod schedule;
mod stopping;
mod support;
