//! What the running service tells Prometheus: that it is what docs/METRICS.md says, that it is bounded, that it goes on
//! over restarts, and that Prometheus finds it.

mod discovery;
mod documented;
mod exposition;
mod hostile;
mod kit;
mod restarts;
