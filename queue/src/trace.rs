//! Trace contexts, which go with a request into its jobs and from those into the jobs that they enqueue, and the spans
//! that a collector is told of.
//!
//! A context is that of <https://www.w3.org/TR/trace-context/>. Whoever works for a request or a job does so [`within`]
//! its context; [`enqueue`](crate::enqueue) gives it to every job that has none. Nothing here sends anything: a program
//! that has a collector says so once ([`export`]), and until then a [`Span`] is a context and nothing else.

mod context;
mod sampler;
mod span;

use std::sync::OnceLock;

use tracing::Instrument;

pub use context::TraceContext;
pub use sampler::Sampler;
pub use span::{Span, SpanKind, SpanRecord, Value};

tokio::task_local! {
    static CURRENT: TraceContext;
}

/// The context that the caller works within.
pub fn current() -> Option<TraceContext> {
    CURRENT.try_with(|context| *context).ok()
}

/// Runs the future within the context: what it enqueues carries that on.
pub fn within<F: Future>(context: TraceContext, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(context, future)
}

/// The future as part of what the caller works for, wherever it runs: within its context, and with its log fields.
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let (context, log) = (current(), tracing::Span::current());
    let carried = async move {
        match context {
            Some(context) => within(context, future).await,
            None => future.await,
        }
    };
    carried.instrument(log)
}

type Sink = Box<dyn Fn(SpanRecord) + Send + Sync>;

/// Where spans go, and which of them.
struct Export {
    sampler: Sampler,
    sink: Sink,
}

static EXPORT: OnceLock<Export> = OnceLock::new();

/// From now on, every span that the sampler takes is handed to `sink` when it ends. The sink is called by whoever ends
/// the span, so it may not wait. Only the first call counts.
pub fn export(sampler: Sampler, sink: impl Fn(SpanRecord) + Send + Sync + 'static) {
    // A second one has come too late: spans of the first may be open.
    let _ = EXPORT.set(Export { sampler, sink: Box::new(sink) });
}

/// Whether spans go anywhere.
pub fn is_exported() -> bool {
    EXPORT.get().is_some()
}
