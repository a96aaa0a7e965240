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
//!
//! # Payloads of other releases
//! A kind's payload has a version, which is stored with each job. What an older release enqueued is upgraded before it
//! is parsed; what a newer one did is put off, for a worker that knows it.
//!
//! ```
//! use queue::{BoxError, Job, JobContext, JobError};
//! use serde::{Deserialize, Serialize};
//! use serde_json::{Value, json};
//!
//! /// Greets somebody, in a language since version 2. Version 1 was a bare name.
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Greet { name: String, language: String }
//!
//! impl Job for Greet {
//!     const KIND: &'static str = "demo.greet";
//!     const QUEUE: &'static str = "demo";
//!     const VERSION: u16 = 2;
//!
//!     fn upgrade(from: u16, payload: Value) -> Result<Value, BoxError> {
//!         match from {
//!             1 => Ok(json!({ "name": payload, "language": "en" })),
//!             other => Err(format!("there has never been a version {other}").into()),
//!         }
//!     }
//!
//!     async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
//!         Ok(())
//!     }
//! }
//!
//! let upgraded: Greet = serde_json::from_value(Greet::upgrade(1, json!("Ada"))?)?;
//! assert_eq!(upgraded, Greet { name: "Ada".to_owned(), language: "en".to_owned() });
//! # Ok::<(), BoxError>(())
//! ```
//!
//! # Long jobs
//! A job that takes long works in steps. [`JobContext::commit_step`] commits what its transaction holds together with a
//! cursor, so each step is done once, and the next attempt, after a failure or a crash, begins where the last one was.
//! [`JobContext::heartbeat`] and [`JobContext::progress`] restart the timeout, and end the run when the job has been
//! taken from this process.
//!
//! ```
//! use queue::{Job, JobContext, JobError};
//! use serde::{Deserialize, Serialize};
//!
//! /// Copies so many rows, a thousand in a step.
//! #[derive(Serialize, Deserialize)]
//! struct CopyRows { rows: i64 }
//!
//! impl Job for CopyRows {
//!     const KIND: &'static str = "demo.copy_rows";
//!     const QUEUE: &'static str = "demo";
//!
//!     async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
//!         let mut next: i64 = ctx.cursor().await?.unwrap_or(0);
//!         while next < self.rows {
//!             let end = (next + 1_000).min(self.rows);
//!             for row in next..end {
//!                 ctx.heartbeat().await?;
//!                 sqlx::query("insert into copy values ($1)").bind(row).execute(ctx.tx().await?).await?;
//!             }
//!             ctx.commit_step(&end).await?;
//!             next = end;
//!         }
//!         ctx.set_result(&self.rows)
//!     }
//! }
//! ```
//!
//! # Secrets
//! Payloads that are stored sealed: [`encryption`].
//!
//! # Tests
//! Whoever writes jobs tests them with the module `testing`, behind the feature of that name.

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
mod limit;
mod link;
mod new_job;
mod notify;
mod own_tx;
mod payload;
mod pool;
mod priority;
mod promote;
mod random;
mod registry;
mod retry;
mod run;
mod settle;
mod share;
mod sweep;

pub mod backend;
pub mod control;
pub mod crash;
pub mod encryption;
pub mod explain;
pub mod flow;
pub mod inspect;
pub mod instance;
pub mod lease;
pub mod metrics;
pub mod schedule;
#[cfg(feature = "testing")]
pub mod testing;
pub mod trace;

pub use batch::{Batch, Item};
pub use context::{JobContext, RESULT_BYTES_MAX};
pub use enqueue::{EnqueueError, Enqueued, Enqueuer, enqueue, enqueue_waking};
pub use error::{BoxError, JobError, LeaseLost};
pub use flow::{Flow, FlowEnqueued, FlowError};
pub use job::{BatchJob, Job};
pub use limit::Limit;
pub use new_job::{NewJob, PAYLOAD_BYTES_MAX, Unique};
pub use notify::{Notifier, Pace};
pub use pool::{Kept, pool_options, steady_pool_options};
pub use priority::Priority;
pub use random::Random;
pub use registry::Registry;
pub use retry::Retry;
