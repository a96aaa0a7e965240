//! What every operation shares.

use std::sync::Arc;
use std::time::Duration;

use jobs::record_transaction::Submitter;
use metrics_exporter_prometheus::PrometheusHandle;
use queue::Notifier;
use sqlx::PgPool;
use sqlx::pool::PoolConnection;

use crate::auth::Tokens;
use crate::hashing::Hashing;
use crate::job_waiters::JobWaiters;
use crate::problem::Problem;
use crate::waiters::Waiters;

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

/// What the API is given to work with.
pub struct ApiState {
    /// Connections to the database.
    pub pool: PgPool,
    /// Writes transactions, many requests in one commit.
    pub submitter: Submitter,
    /// Wakes workers after a commit.
    pub notifier: Notifier,
    /// Renders `/metrics`; none when another part of the process serves them.
    pub metrics: Option<PrometheusHandle>,
    /// Bounds on what one request may take.
    pub limits: Limits,
}

/// What the operations share: what was given, and what is kept between requests.
pub(crate) struct Shared {
    pub(crate) pool: PgPool,
    pub(crate) submitter: Submitter,
    pub(crate) notifier: Notifier,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) limits: Limits,
    pub(crate) tokens: Tokens,
    pub(crate) hashing: Hashing,
    pub(crate) waiters: Waiters,
    pub(crate) job_waiters: JobWaiters,
}

/// A share of it.
pub(crate) type State = Arc<Shared>;

impl Shared {
    /// Begins with empty caches. Must be called within a tokio runtime: it starts the tasks that watch transactions and jobs.
    pub(crate) fn new(given: ApiState) -> State {
        let ApiState { pool, submitter, notifier, metrics, limits } = given;
        let waiters = Waiters::spawn(pool.clone());
        let job_waiters = JobWaiters::spawn(pool.clone());
        let (tokens, hashing) = (Tokens::default(), Hashing::default());
        Arc::new(Shared { pool, submitter, notifier, metrics, limits, tokens, hashing, waiters, job_waiters })
    }

    /// A connection to read with.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<sqlx::Postgres>, Problem> {
        Ok(self.pool.acquire().await?)
    }
}
