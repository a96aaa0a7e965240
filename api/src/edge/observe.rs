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

/// Says what the metrics are, once, for the exporter.
pub(crate) fn describe() {
    metrics::describe_counter!("http_requests_total", "HTTP requests answered, by route template, method and status");
    metrics::describe_counter!("http_requests_refused_total", "HTTP requests turned away, by why: rate, busy or slow");
    metrics::describe_gauge!("http_requests_in_flight", "HTTP requests that are being served");
    metrics::describe_histogram!(
        "database_wait_seconds",
        metrics::Unit::Seconds,
        "How long a probe waited for a connection and its answer"
    );
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time from a request's header to its answer, by route template and method"
    );
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
