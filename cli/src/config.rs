//! Configuration that several commands share. A wrong value ends the process at its start, with the value's name.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
#[cfg(target_os = "linux")]
use rustix::process::{Signal, set_parent_process_death_signal};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};

use crate::folder::running::Running;
use crate::folder::{self, Folder};
use crate::postgres::discover;

/// How long a statement may wait for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// Set by Procfile runners (honcho, foreman, node-foreman), all of which kill what has not stopped after five seconds.
const RUNNERS: [&str; 3] = ["HONCHO_PROCESS_NAME", "PS", "FOREMAN_WORKER_NAME"];

/// Which database to use.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Address of the PostgreSQL database, 14 or newer. Without it: that of the `bitnexus up` running in this folder.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Folder that `bitnexus up` keeps its state in.
    #[arg(long, value_name = "FOLDER", env = folder::VARIABLE, default_value = folder::DEFAULT)]
    pub dir: PathBuf,
}

impl DatabaseArgs {
    /// The address of the database.
    ///
    /// # Errors
    /// When none is given, and no `bitnexus up` runs in the folder.
    pub fn url(&self) -> Result<String> {
        if let Some(url) = given(self.database_url.as_deref()) {
            return Ok(url.to_owned());
        }
        match running(&self.dir) {
            Some(Running { database_url: Some(url), .. }) => Ok(url),
            Some(_) => {
                bail!("the `bitnexus up` running here has no database ready yet, or uses another: set DATABASE_URL")
            }
            None => bail!("DATABASE_URL is not set, and no `bitnexus up` runs in this folder: set it, or start one"),
        }
    }

    /// One connection, for a command that does one thing.
    ///
    /// # Errors
    /// As [`connect`], or when there is no address.
    pub async fn connect(&self, role: &str) -> Result<PgConnection> {
        connect(&self.url()?, role).await
    }

    /// A pool of at most `connections_max` connections, which say whose they are in `pg_stat_activity`. None is opened
    /// yet: a role starts while its database is away, and says so when asked.
    ///
    /// # Errors
    /// When the address is missing or wrong.
    pub fn pool(&self, role: &str, connections_max: u32) -> Result<PgPool> {
        let options = options(&self.url()?)?.application_name(&format!("bitnexus {role}"));
        let pool = queue::pool_options().max_connections(connections_max).acquire_timeout(ACQUIRE_TIMEOUT);
        Ok(pool.connect_lazy_with(options))
    }
}

/// One connection, made at once, so that what keeps it from being made is told.
///
/// # Errors
/// When the address is wrong, nobody answers there, or the server is older than PostgreSQL 14.
pub async fn connect(url: &str, role: &str) -> Result<PgConnection> {
    let options = options(url)?.application_name(&format!("bitnexus {role}"));
    let connection = PgConnection::connect_with(&options).await;
    let connection = connection.context("--database-url (DATABASE_URL): connecting to the database")?;
    let major = connection.server_version_num().map(|number| number / 10_000);
    if let Some(major) = major.filter(|major| *major < discover::MAJOR_MIN) {
        bail!(
            "--database-url (DATABASE_URL): PostgreSQL {major} runs there; {} or newer is needed",
            discover::MAJOR_MIN
        );
    }
    Ok(connection)
}

/// An address that is set but empty counts as not set, as in most tools.
pub fn given(url: Option<&str>) -> Option<&str> {
    url.filter(|url| !url.is_empty())
}

/// Reads an address. The error does not repeat it, since it may hold a password.
///
/// # Errors
/// When it is not the address of a PostgreSQL database.
pub fn options(url: &str) -> Result<PgConnectOptions> {
    options_of("--database-url (DATABASE_URL)", url)
}

/// The same for another flag that takes an address.
///
/// # Errors
/// As [`options`].
pub fn options_of(flag: &str, url: &str) -> Result<PgConnectOptions> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        bail!("{flag}: an address begins with postgres://");
    }
    PgConnectOptions::from_str(url).with_context(|| format!("{flag}: not the address of a PostgreSQL database"))
}

/// The address to listen on: the one that is given, or that of the port that a Procfile runner sets as PORT, or this one.
///
/// # Errors
/// When PORT is none.
pub fn listen(given: Option<SocketAddr>, default: &str) -> Result<SocketAddr> {
    let port = std::env::var("PORT").ok().filter(|port| !port.is_empty());
    match (given, port) {
        (Some(address), _) => Ok(address),
        (None, Some(port)) => {
            let port: u16 = port.parse().with_context(|| format!("PORT: `{port}` is no port"))?;
            Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        }
        (None, None) => Ok(default.parse().expect("the address is written here")),
    }
}

/// The `bitnexus up` that runs in `dir`.
pub fn running(dir: &Path) -> Option<Running> {
    Running::find(&Folder::open(dir).ok()?)
}

/// How long stopping may take.
#[derive(Debug, Clone, Args)]
pub struct ShutdownArgs {
    /// Seconds that stopping may take before what still runs is killed. Default: 4 under a Procfile runner, else 25.
    #[arg(long, value_name = "SECONDS", env = "SHUTDOWN_TIMEOUT", value_parser = seconds)]
    pub shutdown_timeout: Option<Duration>,
}

impl ShutdownArgs {
    /// The time that stopping may take in all.
    pub fn timeout(&self) -> Duration {
        self.shutdown_timeout.unwrap_or(Duration::from_secs(if is_under_a_runner() { 4 } else { 25 }))
    }
}

fn is_under_a_runner() -> bool {
    RUNNERS.iter().any(|name| std::env::var_os(name).is_some())
}

/// Has the end of the Procfile runner that started this process, if one did, be a request to end: node-foreman dies of
/// SIGTERM without a word to its children. To be called on the main thread, where the runtime has set its handlers.
///
/// # Errors
/// When the kernel refuses.
pub fn end_with_the_runner() -> Result<()> {
    #[cfg(target_os = "linux")]
    if is_under_a_runner() {
        set_parent_process_death_signal(Some(Signal::TERM)).context("asking for a signal at the runner's end")?;
    }
    Ok(())
}

/// Seconds, with decimals, up to an hour.
///
/// # Errors
/// When the text is none.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration > Duration::from_secs(3600) {
        return Err("longer than an hour".to_owned());
    }
    Ok(duration)
}
