//! The HTTP API: poem routes described by poem-openapi, one file for each operation.
//!
//! A request passes three layers. [`serve`] owns the socket: it accepts, bounds how long a header may take, and stops in order.
//! `edge` gives the request its id and makes an answer of whatever comes back: a response, an error, a timeout or a panic.
//! `routes` lists the operations; each checks who asks, reads its body strictly, calls the domain and writes a resource.
//!
//! Beside it, [`serve_witness`] is the role of a witness of logs, with nothing of the rest.
//!
//! What is deliberately absent: business rules (they are the domain's), running jobs, and posting to the ledger.

#![recursion_limit = "512"]

mod accepted;
mod app;
mod auth;
mod body;
mod deed;
mod documents;
mod done;
mod edge;
mod found;
pub mod gauges;
mod hashing;
mod idempotency;
mod job_waiters;
mod json;
mod lookups;
pub mod metrics;
mod page;
mod precondition;
mod prefer;
mod probes;
mod problem;
mod realtime;
mod replica;
mod reply;
mod routes;
mod server;
mod spool;
mod state;
mod views;
mod waiters;
mod witness;

pub use app::{document, endpoint};
pub use edge::{Network, Origin, Rate, RateLimit, Rates};
pub use problem::{FieldProblem, Place, Problem};
pub use realtime::phoenix::{SocketLimits, TopicMap};
pub use server::{ApiConfig, Tls, serve};
pub use state::{ApiState, CONNECTIONS_BESIDE_POOL, Limits};
pub use witness::{WitnessConfig, serve_witness};
