//! Metrics of the requests.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Label, SharedString};
use poem::http::{Method, StatusCode};
use queue::metrics::{self as define, Metric};

use super::Paths;

pub(crate) const REQUESTS: Metric = define::counter(
    "http_requests_total",
    &["route", "method", "status"],
    "HTTP requests answered, by route template, method and status.",
);
pub(crate) const DURATION: Metric = define::seconds(
    "http_request_duration_seconds",
    &["route", "method"],
    "Time from a request's header to its answer, by route template and method.",
);
pub(crate) const IN_FLIGHT: Metric =
    define::gauge("http_requests_in_flight", &[], "HTTP requests that are being served.");
pub(crate) const REFUSED: Metric =
    define::counter("http_requests_refused_total", &["reason"], "HTTP requests turned away: rate, busy or slow.");
pub(crate) const POOL_WAIT: Metric =
    define::seconds("database_pool_wait_seconds", &[], "How long a probe waited for a connection and its answer.");

/// All of them.
pub(crate) const METRICS: [Metric; 5] = [REQUESTS, DURATION, IN_FLIGHT, REFUSED, POOL_WAIT];

/// Counts a request and its time. `route` is the template, never the path: a label must not grow with the data.
pub(crate) fn request(route: Arc<str>, method: &Method, status: StatusCode, took: Duration) {
    let route = SharedString::from_shared(route);
    let labels = [
        Label::new("route", route),
        Label::from_static_parts("method", method_label(method)),
        Label::new("status", Cow::Owned(status.as_str().to_owned())),
    ];
    metrics::histogram!(DURATION.name, labels[..2].iter()).record(took);
    metrics::counter!(REQUESTS.name, labels.iter()).increment(1);
    if status.is_server_error() {
        tracing::warn!(%status, ?took, "a request ended in an error of ours");
    }
}

/// A client may invent methods; a label may not.
pub(super) fn method_label(method: &Method) -> &'static str {
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

/// Makes the series at 0: of each operation for each status that it documents, and for an error of ours.
pub(crate) fn register(paths: &Paths) {
    METRICS.iter().for_each(Metric::describe);
    for (route, method, statuses) in paths.operations() {
        let labels = [Label::new("route", SharedString::from_shared(route)), Label::new("method", method)];
        drop(metrics::histogram!(DURATION.name, labels.iter()));
        for status in statuses {
            let labels = labels.iter().cloned().chain([Label::new("status", status.to_string())]).collect::<Vec<_>>();
            metrics::counter!(REQUESTS.name, labels).increment(0);
        }
    }
    IN_FLIGHT.register(&[]);
    REFUSED.register(&[&["rate", "busy", "slow"]]);
    POOL_WAIT.register(&[]);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_request_is_counted_by_its_template() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let invented = Method::from_bytes(b"BREW").unwrap();
        metrics::with_local_recorder(&recorder, || {
            request("/users/{id}".into(), &Method::GET, StatusCode::OK, Duration::from_millis(3));
            request("unmatched".into(), &invented, StatusCode::NOT_FOUND, Duration::from_millis(1));
        });
        let rendered = recorder.handle().render();
        let counted = r#"http_requests_total{route="/users/{id}",method="GET",status="200"} 1"#;
        assert!(rendered.contains(counted), "{rendered}");
        assert!(rendered.contains(r#"route="unmatched",method="other",status="404""#), "{rendered}");
        assert!(rendered.contains(r#"http_request_duration_seconds_count{route="/users/{id}",method="GET"} 1"#));
    }
}
