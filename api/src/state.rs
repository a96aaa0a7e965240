//! What every operation shares.

use std::sync::Arc;
use std::time::Duration;

use domain::Principal;
use domain::webhooks::reach::Reach;
use jobs::record_transaction::Submitter;
use metrics_exporter_prometheus::PrometheusHandle;
use queue::Notifier;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::time::timeout;

use crate::auth::Tokens;
use crate::edge::{Buckets, Load, Network, Origin, Rates};
use crate::hashing::Hashing;
use crate::job_waiters::JobWaiters;
use crate::lookups::Lookups;
use crate::problem::Problem;
use crate::realtime::phoenix::{Phoenix, SocketLimits};
use crate::realtime::{Hub, Seats};
use crate::replica::Replica;
use crate::waiters::Waiters;

/// Connections that an API process opens beside its pool: four that events are read through, two that transactions are saved through, one
/// to look transactions up, one to wake others, and two that listen.
pub const CONNECTIONS_BESIDE_POOL: u32 = 10;

/// How long a read of the replica may take before the primary is read instead: far longer than a list or a search does.
const REPLICA_PATIENCE: Duration = Duration::from_secs(5);

/// Bounds on what requests may take, and from where they may come.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes_max: usize,
    /// Bytes of the body of `POST /api/v1/transactions/batch`.
    pub batch_body_bytes_max: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Bytes of a file that is imported.
    pub upload_bytes_max: u64,
    /// How many bytes a second of a file must arrive at least, on the average since it began; it has `body_timeout` besides.
    pub upload_rate_min: u64,
    /// How long a request may take in all, apart from what `Prefer: wait` adds.
    pub request_timeout: Duration,
    /// How long the header of a request may take to arrive; also how long a connection may idle between requests.
    pub header_timeout: Duration,
    /// How many connections may be open at once; more wait to be accepted.
    pub connections_max: usize,
    /// How many requests may be in flight at once; more are turned away.
    pub in_flight_max: usize,
    /// Requests are turned away while the next one would wait longer than this for the database.
    pub database_wait_max: Duration,
    /// How many requests one caller may send.
    pub rates: Rates,
    /// A replica that is later than this is not read.
    pub replica_lag_max: Duration,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Vec<Network>,
    /// The origins whose pages may call the API.
    pub origins: Vec<Origin>,
    /// Bounds on channels, and which there are.
    pub sockets: SocketLimits,
    /// Where webhooks may be.
    pub webhook_reach: Reach,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            body_bytes_max: 1024 * 1024,
            batch_body_bytes_max: 4 * 1024 * 1024,
            body_timeout: Duration::from_secs(10),
            upload_bytes_max: 100 * 1024 * 1024,
            upload_rate_min: 64 * 1024,
            request_timeout: Duration::from_secs(20),
            header_timeout: Duration::from_secs(30),
            connections_max: 10_000,
            in_flight_max: 5_000,
            database_wait_max: Duration::from_secs(1),
            rates: Rates::default(),
            replica_lag_max: Duration::from_secs(2),
            proxies: Vec::new(),
            origins: Vec::new(),
            sockets: SocketLimits::default(),
            webhook_reach: Reach::default(),
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
    /// Bounds on what requests may take, and from where they may come.
    pub limits: Limits,
    /// Connections to a replica of the database, for reads that may be late.
    pub replica: Option<PgPool>,
}

/// What the operations share: what was given, and what is kept between requests.
pub(crate) struct Shared {
    pub(crate) pool: PgPool,
    pub(crate) submitter: Submitter,
    pub(crate) notifier: Notifier,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) limits: Limits,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) hashing: Hashing,
    pub(crate) waiters: Waiters,
    pub(crate) lookups: Lookups,
    pub(crate) buckets: Buckets,
    pub(crate) load: Arc<Load>,
    pub(crate) replica: Option<Arc<Replica>>,
    pub(crate) job_waiters: JobWaiters,
    pub(crate) phoenix: Arc<Phoenix>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) seats: Arc<Seats>,
}

/// A share of it.
pub(crate) type State = Arc<Shared>;

impl Shared {
    /// Begins with empty caches. Must be called within a tokio runtime: it starts the tasks that watch transactions and jobs.
    pub(crate) fn new(given: ApiState) -> State {
        let ApiState { pool, submitter, notifier, metrics, limits, replica } = given;
        let waiters = Waiters::spawn(pool.clone());
        let lookups = Lookups::spawn(pool.clone());
        let job_waiters = JobWaiters::spawn(pool.clone());
        let hub = Hub::spawn(&pool, 0);
        let (tokens, hashing) = (Tokens::spawn(&pool), Hashing::default());
        let phoenix = Phoenix::spawn(&pool, &tokens, &hub, limits.sockets.clone());
        let buckets = Buckets::new(limits.rates.clone());
        let load = Load::watch(pool.clone(), limits.in_flight_max, limits.database_wait_max);
        let replica = replica.map(|replica| Replica::watch(replica, pool.clone(), limits.replica_lag_max));
        Arc::new(Shared {
            pool,
            submitter,
            notifier,
            metrics,
            limits,
            tokens,
            hashing,
            waiters,
            lookups,
            job_waiters,
            hub,
            seats: Arc::default(),
            buckets,
            load,
            replica,
            phoenix,
        })
    }

    /// A connection to read with.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, Problem> {
        Ok(self.pool.acquire().await?)
    }

    /// What `read` finds of what may be late: a list or a search, never one thing by its id. It is read from the replica if that is
    /// there and not too late, and the caller has not just written something; and from the primary should that fail.
    pub(crate) async fn read_late<T, F: Future<Output = Result<T, domain::Error>>>(
        &self,
        caller: &Principal,
        read: impl Fn(PoolConnection<Postgres>) -> F,
    ) -> Result<T, Problem> {
        let replica = self.replica.as_ref().and_then(|replica| Some((replica, replica.pool_for(caller)?)));
        if let Some((replica, pool)) = replica {
            let found = timeout(REPLICA_PATIENCE, async { read(pool.acquire().await?).await }).await;
            match found {
                Err(_elapsed) => tracing::warn!("the replica does not answer; the primary is read"),
                // It may be shutting down, in conflict with what it replays, or of an older release's tables.
                Ok(Err(domain::Error::Database(error))) => {
                    tracing::warn!(%error, "the replica cannot be read; the primary is");
                }
                Ok(found) => return Ok(found?),
            }
            replica.failed();
        }
        Ok(read(self.connection().await?).await?)
    }
}
