//! The queue, on a real database, mostly through the real worker.

mod batches;
mod cancelling;
mod control;
mod control_model;
mod encryption;
mod enqueueing;
mod explain;
mod fencing;
mod flow_model;
mod flow_races;
mod flows;
mod limits;
mod outages;
mod outcomes;
mod pausing;
mod payloads;
mod plans;
mod pooling;
mod schedule;
mod schedules;
mod sequences;
mod steps;
mod stopping;
mod support;
mod zombies;
