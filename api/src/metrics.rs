//! The metrics of an API process: their table, their registration, and the page of all of them.

use metrics_exporter_prometheus::PrometheusHandle;
use queue::metrics::{self as define, Metric, process};
use sqlx::PgPool;

use crate::edge::{Paths, observe};
use crate::realtime::metrics as realtime;
use crate::realtime::phoenix::metrics as channels;

/// What the API records of itself; [`crate::gauges::metrics`] are those of the database.
pub fn metrics() -> Vec<Metric> {
    let auth = [crate::auth::CACHE_REQUESTS, crate::auth::LOGIN_LOCKS];
    observe::METRICS.into_iter().chain(auth).chain(realtime::METRICS).chain(channels::METRICS).collect()
}

/// Makes every series of the process at 0.
pub(crate) fn register(paths: &Paths) {
    observe::register(paths);
    crate::auth::register_metrics();
    realtime::register();
    channels::register();
    let kinds: Vec<&'static str> = jobs::catalogue().iter().map(|kind| kind.name).collect();
    define::register_enqueuer(&kinds);
    define::register_pool();
    define::name_only(kinds);
    jobs::metrics::register_submitter();
}

/// The page as of now.
pub(crate) fn page(handle: &PrometheusHandle, pool: &PgPool) -> String {
    define::measure_pool(pool);
    handle.render() + &process::page(env!("CARGO_PKG_VERSION"))
}
