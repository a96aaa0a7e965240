//! Metrics of the requests.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use metrics::SharedString;
use poem::http::{Method, StatusCode};

/// Counts a request and its time. `route` is the template, never the path: a label must not grow with the data.
pub(crate) fn request(route: Arc<str>, method: &Method, status: StatusCode, took: Duration) {
    let route = SharedString::from_shared(route);
    let labels = [
        metrics::Label::new("route", route),
        metrics::Label::from_static_parts("method", method_label(method)),
        metrics::Label::new("status", Cow::Owned(status.as_str().to_owned())),
    ];
    metrics::histogram!("http_request_duration_seconds", labels[..2].iter()).record(took);
    metrics::counter!("http_requests_total", labels.iter()).increment(1);
    if status.is_server_error() {
        tracing::warn!(%status, ?took, "a request ended in an error of ours");
    }
}

/// A client may invent methods; a label may not.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Says what the metrics are, once, for the exporter.
pub(crate) fn describe() {
    metrics::describe_counter!("http_requests_total", "HTTP requests answered, by route template, method and status");
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time from a request's header to its answer, by route template and method"
    );
}
