//! What a worker process records of webhooks; docs/METRICS.md has all metrics.

use domain::webhooks::Status;
use domain::webhooks::outgoing::Tried;
use queue::metrics::{self as define, Metric};

const DELIVERIES: Metric = define::counter(
    "webhook_deliveries_total",
    &["outcome"],
    "Attempts to deliver a webhook, by how they ended: delivered, retried or gave_up.",
);
const DELIVERY_SECONDS: Metric =
    define::seconds("webhook_delivery_seconds", &[], "How long receivers of webhooks took to answer, or to fail.");

/// Makes the series of a worker process, at 0.
pub(crate) fn register() {
    DELIVERIES.register(&[&["delivered", "retried", "gave_up"]]);
    DELIVERY_SECONDS.register(&[]);
}

/// Counts an attempt.
pub(crate) fn tried(tried: &Tried) {
    metrics::histogram!(DELIVERY_SECONDS.name).record(tried.took);
    let outcome = match tried.delivery() {
        Status::Delivered => "delivered",
        Status::Pending => "retried",
        Status::Failed | Status::Cancelled => "gave_up",
    };
    metrics::counter!(DELIVERIES.name, "outcome" => outcome).increment(1);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn an_attempt_is_counted_by_how_it_ended() {
        let failed = |again_in| Tried {
            took: Duration::from_millis(3),
            status: Some(500),
            error: Some("500".to_owned()),
            response: None,
            again_in,
        };
        let delivered = Tried { error: None, ..failed(None) };
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            register();
            let again = failed(Some(Duration::from_secs(5)));
            [&delivered, &again, &again, &failed(None), &delivered, &delivered].into_iter().for_each(tried);
        });
        let rendered = recorder.handle().render();
        for (outcome, count) in [("delivered", 3), ("retried", 2), ("gave_up", 1)] {
            let counted = format!(r#"webhook_deliveries_total{{outcome="{outcome}"}} {count}"#);
            assert!(rendered.contains(&counted), "{counted}: {rendered}");
        }
        assert!(rendered.contains("webhook_delivery_seconds_count 6"), "{rendered}");
    }
}
