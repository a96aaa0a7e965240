//! The product's own processes: `bitnexus api` and `bitnexus worker` of the release build, on a suite's database.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ledger::keys::SigningKey;
use rustix::process::{Pid, Signal, kill_process};

use crate::load::Connection;
use crate::server::Server;

/// How long a role may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The running processes; they are stopped when this is dropped.
#[derive(Debug)]
pub(crate) struct Roles {
    /// Where the API listens.
    pub(crate) api: SocketAddr,
    api_process: Child,
    workers: Option<Child>,
    /// The file with the key that the workers sign checkpoints with.
    key: PathBuf,
}

impl Roles {
    /// Builds the binary if need be, starts both roles and waits until the API is ready.
    ///
    /// # Errors
    /// When it does not build or does not get ready.
    pub(crate) async fn start(server: &Server) -> Result<Roles> {
        Roles::start_with(server, &[]).await
    }

    /// The same with these variables set.
    ///
    /// # Errors
    /// As [`Roles::start`].
    pub(crate) async fn start_with(server: &Server, variables: &[(&str, &str)]) -> Result<Roles> {
        let binary = binary()?;
        let (api, metrics) = (free_address()?, free_address()?);
        let key = std::env::temp_dir().join(format!("bitnexus-bench-{}.key", std::process::id()));
        let signing_key = SigningKey::generate("bitnexus.local/bench").context("making a signing key")?;
        std::fs::write(&key, signing_key.to_text()).with_context(|| format!("writing {}", key.display()))?;
        let start = |role: &str| {
            let mut command = Command::new(&binary);
            command.arg(role).env("DATABASE_URL", server.url()).current_dir(std::env::temp_dir());
            command
                .env("API_LISTEN", api.to_string())
                .env("METRICS_LISTEN", metrics.to_string())
                .env("LEDGER_SIGNING_KEY_FILE", &key)
                .env("SOCKETS_PER_USER", "20000")
                .env("RUST_LOG", "warn")
                .envs(variables.iter().copied());
            command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().with_context(|| format!("starting {role}"))
        };
        let roles = Roles { api, api_process: start("api")?, workers: Some(start("worker")?), key: key.clone() };
        let started = Instant::now();
        while !is_ready(api).await {
            ensure!(started.elapsed() < START_TIMEOUT, "the API was not ready after {START_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(roles)
    }

    /// The API's process.
    pub(crate) fn api_pid(&self) -> u32 {
        self.api_process.id()
    }

    /// The supervisor of the workers, while they run.
    pub(crate) fn worker_pid(&self) -> Option<u32> {
        self.workers.as_ref().map(Child::id)
    }

    /// Ends the workers and leaves the API.
    pub(crate) fn stop_workers(&mut self) {
        self.workers.take().as_mut().map(stop);
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        self.stop_workers();
        stop(&mut self.api_process);
        // What is left in the temporary folder signs nothing that anybody keeps.
        let _ = std::fs::remove_file(&self.key);
    }
}

/// Asks a process to end and waits for it.
fn stop(process: &mut Child) {
    if let Some(pid) = i32::try_from(process.id()).ok().and_then(Pid::from_raw) {
        // One that has ended already needs no signal.
        let _ = kill_process(pid, Signal::TERM);
    }
    let _ = process.wait();
}

/// The release build of the product, beside this program.
fn binary() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let mut cargo = Command::new(cargo);
    cargo.args(["build", "--release", "--quiet", "-p", "cli"]).current_dir(root);
    // Build scripts ask to be run again when these change; cargo sets them for this program.
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        cargo.env_remove(name);
    }
    let built = cargo.status();
    ensure!(built.context("starting cargo")?.success(), "the product does not build");
    Ok(std::env::current_exe()?.with_file_name("bitnexus"))
}

async fn is_ready(api: SocketAddr) -> bool {
    let Ok(mut connection) = Connection::open(api).await else { return false };
    connection.get("/readyz").await.is_ok_and(|status| status == 200)
}

/// An address that nobody listened on a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
