//! A piece of work with a beginning and an end, for whoever collects them.

use std::borrow::Cow;
use std::time::{Instant, SystemTime};

use super::{EXPORT, TraceContext};

/// Jobs that a batch is linked to at most.
const LINKS_MAX: usize = 128;

/// What part a span has in the conversation between programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Answers a request.
    Server,
    /// Enqueues jobs.
    Producer,
    /// Runs jobs.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

/// A span that has ended.
#[derive(Debug, Clone)]
pub struct SpanRecord {
    /// What was done, from a small set of names.
    pub name: Cow<'static, str>,
    /// Its part in the conversation.
    pub kind: SpanKind,
    /// Its own context.
    pub context: TraceContext,
    /// The span that it followed from.
    pub parent: Option<TraceContext>,
    /// When it began.
    pub started: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// More about it, by OpenTelemetry's names. No personal data, and nothing secret.
    pub attributes: Vec<(&'static str, Value)>,
    /// Spans of other traces that it belongs to.
    pub links: Vec<TraceContext>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

/// Work that is being done. It ends when it is dropped, whatever ended it.
#[derive(Debug)]
pub struct Span {
    context: TraceContext,
    record: Option<(Box<SpanRecord>, Instant)>,
}

impl Span {
    /// Begins a span that follows from this one, or a new trace.
    pub fn begin(kind: SpanKind, name: &'static str, parent: Option<TraceContext>) -> Span {
        let context = parent.map_or_else(TraceContext::root, TraceContext::child);
        Span::of(kind, name, context, parent)
    }

    /// Begins a span of a new trace that belongs to others, and is kept if one of them is.
    pub fn linked(kind: SpanKind, name: &'static str, links: &[TraceContext]) -> Span {
        let root = TraceContext::root();
        let context = if links.iter().any(|link| link.is_sampled()) { root.kept() } else { root };
        let mut span = Span::of(kind, name, context, None);
        span.note(|record| record.links.extend(links.iter().take(LINKS_MAX)));
        span
    }

    /// Begins the enqueueing of so many jobs of a kind by whoever works within `caller`. While nobody collects spans, what
    /// is enqueued follows from the caller itself.
    pub fn enqueue(caller: TraceContext, kind: &str, queue: &str, jobs: usize) -> Span {
        if EXPORT.get().is_none() {
            return Span { context: caller, record: None };
        }
        let mut span = Span::begin(SpanKind::Producer, "enqueue", Some(caller));
        span.note(|record| {
            record.add("messaging.system", "bitnexus");
            record.add("messaging.operation.type", "send");
            record.name = format!("enqueue {kind}").into();
            record.add("messaging.destination.name", queue.to_owned());
            record.add("messaging.batch.message_count", i64::try_from(jobs).unwrap_or(i64::MAX));
        });
        span
    }

    fn of(kind: SpanKind, name: &'static str, context: TraceContext, parent: Option<TraceContext>) -> Span {
        let is_kept = context.is_sampled() && EXPORT.get().is_some();
        let record = is_kept.then(|| {
            let now = SystemTime::now();
            let (attributes, links) = (Vec::new(), Vec::new());
            let name = name.into();
            let record =
                SpanRecord { name, kind, context, parent, started: now, ended: now, attributes, links, error: None };
            (Box::new(record), Instant::now())
        });
        Span { context, record }
    }

    /// What follows from it carries this.
    pub fn context(&self) -> TraceContext {
        self.context
    }

    /// Adds to what is told of it; nothing is done for a span that nobody is told of.
    pub fn note(&mut self, note: impl FnOnce(&mut SpanRecord)) {
        if let Some((record, _)) = &mut self.record {
            note(record);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let Some((mut record, began)) = self.record.take()
            && let Some(export) = EXPORT.get()
        {
            // By the clock that never jumps.
            record.ended = record.started + began.elapsed();
            (export.sink)(*record);
        }
    }
}

impl SpanRecord {
    /// Adds an attribute.
    pub fn add(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.push((name, value.into()));
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Value {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(number)
    }
}
