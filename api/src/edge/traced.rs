//! The surroundings of a request that say whose it is: the fields on its log lines, its span, and the trace that its jobs
//! carry on.

use poem::Request;
use poem::http::{Method, StatusCode};
use queue::trace::{self, Span, SpanKind, TraceContext};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::Context;
use super::context::transaction_of;
use super::observe::method_label;

/// A request, as logs and traces see it.
pub(super) struct Traced {
    span: Span,
    log: tracing::Span,
}

impl Traced {
    /// A request goes on with the trace of its caller, if it has sent a valid one, or begins one.
    pub(super) fn of(request: &Request, context: &Context) -> Traced {
        let parent = request.header("traceparent").and_then(TraceContext::parse);
        let mut span = Span::begin(SpanKind::Server, "request", parent);
        span.note(|record| record.add("bitnexus.request_id", context.request_id.to_string()));
        // Of the highest level, so that no filter takes the fields from a line that it lets through.
        let log = tracing::error_span!(
            "request",
            request_id = %context.request_id,
            transaction_id = Empty,
            trace_id = %span.context().trace_id(),
            span_id = %span.context().span_id(),
        );
        if let Some(id) = transaction_of(request.uri().path()) {
            log.record("transaction_id", display(id));
        }
        Traced { span, log }
    }

    /// Runs the future with all that around it.
    pub(super) fn around<F: Future>(&self, answer: F) -> impl Future<Output = F::Output> + use<F> {
        trace::within(self.span.context(), answer).instrument(self.log.clone())
    }

    /// Ends the span with the answer; `route` is the template of the path.
    pub(super) fn end(mut self, method: &Method, route: &str, status: StatusCode) {
        let method = method_label(method);
        tracing::debug!(parent: &self.log, method, route, status = status.as_u16(), "answered");
        self.span.note(|record| {
            record.name = format!("{method} {route}").into();
            record.add("http.request.method", method);
            record.add("http.route", route.to_owned());
            record.add("http.response.status_code", i64::from(status.as_u16()));
            record.error = status.is_server_error().then(|| status.as_str().to_owned().into());
        });
    }
}
