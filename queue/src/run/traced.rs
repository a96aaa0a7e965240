//! The surroundings of a run that say whose it is: the fields on its log lines, its span, and the context that what it
//! enqueues carries on.

use std::fmt;

use tracing::Instrument;
use tracing::field::Empty;

use super::Report;
use crate::claim::Claimed;
use crate::registry::Kind;
use crate::settle::Verdict;
use crate::trace::{self, Span, SpanKind, TraceContext};

/// A run, as logs and traces see it.
pub(super) struct Traced {
    span: Span,
    /// Each job of a batch by itself, in its own trace.
    members: Vec<Span>,
    log: tracing::Span,
    /// How many outcomes there were before.
    open: usize,
    closed: [u64; Verdict::NAMES.len()],
}

impl Traced {
    /// A run of these jobs. One job goes on with its own trace; several begin a new one, linked to each of theirs.
    pub(super) fn of(kind: &Kind, jobs: &[Claimed], report: &Report) -> Traced {
        let (open, closed) = (report.open.len(), report.closed);
        let (mut span, members) = match jobs {
            [job] => (Span::begin(SpanKind::Consumer, "run", context_of(job)), Vec::new()),
            jobs => batch(kind, jobs),
        };
        span.note(|record| {
            record.name = format!("run {}", kind.name).into();
            record.add("messaging.system", "bitnexus");
            record.add("messaging.operation.type", "process");
            record.add("messaging.batch.message_count", i64::try_from(jobs.len()).unwrap_or(i64::MAX));
            if let [job] = jobs {
                describe(record, job);
            }
        });
        let context = span.context();
        let (trace_id, span_id) = (context.trace_id(), context.span_id());
        // Of the highest level, so that no filter takes the fields from a line that it lets through.
        let log = match jobs {
            [job] => tracing::error_span!(
                "job",
                job_id = %job.holding.id,
                kind = kind.name,
                attempt = job.attempt,
                transaction_id = Empty,
                %trace_id,
                %span_id,
            ),
            jobs => tracing::error_span!("batch", kind = kind.name, jobs = jobs.len(), %trace_id, %span_id),
        };
        Traced { span, members, log, open, closed }
    }

    /// Runs the future with all that around it.
    pub(super) fn around<F: Future>(&self, run: F) -> impl Future<Output = F::Output> + use<F> {
        trace::within(self.span.context(), run).instrument(self.log.clone())
    }

    /// Ends the span with what became of the jobs.
    pub(super) fn end(self, report: &Report) {
        let Traced { mut span, members, log, open, closed } = self;
        let outcomes = Outcomes { report, open, closed };
        tracing::debug!(parent: &log, %outcomes, "ran");
        span.note(|record| {
            record.add("bitnexus.job.outcomes", outcomes.to_string());
            // What an error says may be anybody's, and is kept with the job: here, that there was one.
            let failed = report.open[open..].iter().find(|one| one.verdict.failure().is_some());
            record.error = failed.map(|one| Verdict::NAMES[one.verdict.index()].into());
        });
        drop(members);
    }
}

/// What became of the jobs of a run, such as `succeeded=3 dead=1`; counted only when it is written.
struct Outcomes<'a> {
    report: &'a Report,
    open: usize,
    closed: [u64; Verdict::NAMES.len()],
}

impl fmt::Display for Outcomes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut numbers = self.report.closed;
        numbers.iter_mut().zip(self.closed).for_each(|(number, before)| *number -= before);
        self.report.open[self.open..].iter().for_each(|one| numbers[one.verdict.index()] += 1);
        let some = Verdict::NAMES.iter().zip(numbers).filter(|(_, number)| *number > 0);
        let words: Vec<String> = some.map(|(name, number)| format!("{name}={number}")).collect();
        f.write_str(if words.is_empty() { "lost" } else { "" })?;
        f.write_str(&words.join(" "))
    }
}

fn context_of(job: &Claimed) -> Option<TraceContext> {
    TraceContext::parse(job.trace.as_deref()?)
}

/// The span of a batch, and one in the trace of each of its jobs; none of these when nobody collects them.
fn batch(kind: &Kind, jobs: &[Claimed]) -> (Span, Vec<Span>) {
    if !trace::is_exported() {
        return (Span::linked(SpanKind::Consumer, "run", &[]), Vec::new());
    }
    let contexts: Vec<Option<TraceContext>> = jobs.iter().map(context_of).collect();
    let links: Vec<TraceContext> = contexts.iter().flatten().copied().filter(|one| one.is_sampled()).collect();
    let span = Span::linked(SpanKind::Consumer, "run", &links);
    let context = span.context();
    let member = |(job, parent): (&Claimed, TraceContext)| {
        let mut member = Span::begin(SpanKind::Consumer, "run", Some(parent));
        member.note(|record| {
            record.name = format!("run {}", kind.name).into();
            record.links.push(context);
            record.add("messaging.system", "bitnexus");
            record.add("messaging.operation.type", "process");
            describe(record, job);
        });
        member
    };
    let members = jobs.iter().zip(contexts).filter_map(|(job, parent)| Some((job, parent?))).map(member).collect();
    (span, members)
}

fn describe(record: &mut trace::SpanRecord, job: &Claimed) {
    record.add("messaging.destination.name", job.queue.clone());
    record.add("messaging.message.id", job.holding.id.to_string());
    record.add("bitnexus.job.attempt", i64::from(job.attempt));
}
