//! A durable job queue on PostgreSQL.
//!
//! A job is a serialisable type with a policy ([`Job`], [`BatchJob`]). It is enqueued in the caller's own transaction
//! ([`enqueue`]), claimed by a worker process under a lease, run, and settled. What a job writes through its own
//! transaction ([`JobContext::tx`]) commits together with its completion, fenced by the claim's epoch: a process that
//! lost its lease writes nothing, so the effect happens exactly once, however often the job is started.
//!
//! The crate knows no job by name. docs/QUEUE.md has the state machine, the guarantees and every knob.
//!
//! ```
//! use queue::{Job, JobContext, JobError, NewJob};
//! use serde::{Deserialize, Serialize};
//!
//! /// Greets somebody.
//! #[derive(Serialize, Deserialize)]
//! struct Greet { name: String }
//!
//! impl Job for Greet {
//!     const KIND: &'static str = "demo.greet";
//!     const QUEUE: &'static str = "demo";
//!
//!     async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
//!         sqlx::query("select $1").bind(self.name).execute(ctx.tx().await?).await?;
//!         Ok(())
//!     }
//! }
//!
//! let job = NewJob::of(&Greet { name: "Ada".to_owned() })?;
//! assert_eq!(job.kind, "demo.greet");
//! # Ok::<(), queue::EnqueueError>(())
//! ```

mod batch;
mod cancel;
mod claim;
mod consumer;
mod context;
pub mod counters;
mod enqueue;
mod error;
mod history;
mod job;
mod lane;
mod link;
mod new_job;
mod notify;
mod own_tx;
mod priority;
mod promote;
mod random;
mod registry;
mod retry;
mod run;
mod settle;

pub mod backend;
pub mod control;
pub mod explain;
pub mod inspect;
pub mod lease;
pub mod metrics;

pub use batch::{Batch, Item};
pub use context::JobContext;
pub use enqueue::{EnqueueError, Enqueued, Enqueuer, enqueue};
pub use error::{BoxError, JobError};
pub use job::{BatchJob, Job};
pub use new_job::{NewJob, PAYLOAD_BYTES_MAX, Unique};
pub use notify::Notifier;
pub use priority::Priority;
pub use random::Random;
pub use registry::Registry;
pub use retry::Retry;
