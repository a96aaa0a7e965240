//! The queue, on a real database, mostly through the real worker.

mod batches;
mod enqueueing;
mod fencing;
mod flow_model;
mod flow_races;
mod flows;
mod limits;
mod outages;
mod outcomes;
mod plans;
mod schedule;
mod sequences;
mod stopping;
mod support;
