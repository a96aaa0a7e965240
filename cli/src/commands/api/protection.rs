//! What protects the API: limits on callers, on load and on origins, and TLS.

use std::time::Duration;

use anyhow::Result;
use api::{Limits, Network, Origin, RateLimit, Rates};
use clap::Args;
use sqlx::PgPool;

use crate::config::{given, options_of, seconds};
use crate::tls::TlsArgs;

/// Who waits longer than this for a connection to the replica is served by the primary.
const REPLICA_TIMEOUT: Duration = Duration::from_secs(1);

/// The flags. A rate is `10/s`, `600/m`, `5000/h` or `off`; each process counts for itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Protection")]
pub(super) struct ProtectionArgs {
    /// How many requests one user may send, as 10/s, 600/m, 5000/h or off; each process counts for itself.
    #[arg(long, value_name = "RATE", env = "RATE_LIMIT", default_value_t = Rates::default().user)]
    rate_limit: RateLimit,
    /// How many of them may change something.
    #[arg(long, value_name = "RATE", env = "RATE_LIMIT_WRITES", default_value_t = Rates::default().writes)]
    rate_limit_writes: RateLimit,
    /// How many requests one operator or administrator may send.
    #[arg(long, value_name = "RATE", env = "RATE_LIMIT_STAFF", default_value_t = Rates::default().staff)]
    rate_limit_staff: RateLimit,
    /// How many requests without a valid token one address may send.
    #[arg(long, value_name = "RATE", env = "RATE_LIMIT_ADDRESS", default_value_t = Rates::default().address)]
    rate_limit_address: RateLimit,
    /// How many of them may be log-ins and the like.
    #[arg(long, value_name = "RATE", env = "RATE_LIMIT_LOGIN", default_value_t = Rates::default().login)]
    rate_limit_login: RateLimit,
    /// Proxies whose X-Forwarded-For is believed: addresses or networks such as 10.0.0.0/8, with commas between.
    #[arg(long, value_name = "NETWORKS", env = "TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<Network>,
    /// Origins whose pages may call the API, such as https://app.example.org, with commas between.
    #[arg(long, value_name = "ORIGINS", env = "CORS_ORIGINS", value_delimiter = ',')]
    cors_origins: Vec<Origin>,
    /// How many requests may be in flight at once; more are turned away with 503.
    #[arg(long, value_name = "N", env = "REQUESTS_IN_FLIGHT", default_value_t = Limits::default().in_flight_max as u32, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests_in_flight: u32,
    /// Requests are turned away with 503 while the next one would wait so many seconds for the database.
    #[arg(long, value_name = "SECONDS", env = "DATABASE_WAIT", default_value = "1", value_parser = seconds)]
    database_wait: Duration,
    /// Seconds that a request may take before it is given up with 503.
    #[arg(long, value_name = "SECONDS", env = "REQUEST_TIMEOUT", default_value = "20", value_parser = seconds)]
    request_timeout: Duration,
    /// Address of a replica of the database: lists and searches are read there while it is not too late.
    #[arg(long, value_name = "URL", env = "REPLICA_URL", hide_env_values = true)]
    replica_url: Option<String>,
    /// Seconds that the replica may be behind; later, and for whoever has just written something, the primary is read.
    #[arg(long, value_name = "SECONDS", env = "REPLICA_LAG_MAX", default_value = "2", value_parser = seconds)]
    replica_lag_max: Duration,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
}

impl ProtectionArgs {
    /// The bounds on requests.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            in_flight_max: self.requests_in_flight as usize,
            database_wait_max: self.database_wait,
            request_timeout: self.request_timeout,
            replica_lag_max: self.replica_lag_max,
            rates: Rates {
                user: self.rate_limit,
                writes: self.rate_limit_writes,
                staff: self.rate_limit_staff,
                address: self.rate_limit_address,
                login: self.rate_limit_login,
            },
            proxies: self.trusted_proxies.clone(),
            origins: self.cors_origins.clone(),
            ..Limits::default()
        }
    }

    /// Connections to the replica, as many as to the primary; none is opened yet.
    ///
    /// # Errors
    /// When its address is none.
    pub(super) fn replica(&self, connections_max: u32) -> Result<Option<PgPool>> {
        let Some(url) = given(self.replica_url.as_deref()) else { return Ok(None) };
        let options = options_of("--replica-url (REPLICA_URL)", url)?.application_name("bitnexus api, replica");
        let pool = queue::pool_options().max_connections(connections_max).acquire_timeout(REPLICA_TIMEOUT);
        Ok(Some(pool.connect_lazy_with(options)))
    }
}
