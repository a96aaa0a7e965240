//! What every operation shares.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;

/// Bounds on what one request may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Bytes of the body of `POST /api/v1/transactions/batch`.
    pub batch_body_bytes_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take in all, apart from what `Prefer: wait` adds.
    pub request_timeout: Duration,
    /// How long the header of a request may take to arrive; also how long a connection may idle between requests.
    pub header_timeout: Duration,
    /// How many connections may be open at once; more wait to be accepted.
    pub connections_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes_max: 1024 * 1024,
            batch_body_bytes_max: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(20),
            header_timeout: Duration::from_secs(30),
            connections_max: 10_000,
        }
    }
}

/// What every operation shares; cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    /// Connections to the database.
    pub pool: PgPool,
    /// Renders `/metrics`; none when another part of the process serves them.
    pub metrics: Option<PrometheusHandle>,
    /// Bounds on what one request may take.
    pub limits: Arc<Limits>,
}
