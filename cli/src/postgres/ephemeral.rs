//! A throw-away cluster for tests and benchmarks: it ends, and its folder goes, with the process that started it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sqlx::postgres::PgConnectOptions;

use super::account::Account;
use super::discover;
use super::initdb::{Durability, ROLE, initdb, run_as};

/// How long a server may take to say that it is ready.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Waits beside the server until its standard input ends, which is when the process that holds it is gone,
/// however that happened; then stops the server and removes the folder.
const GUARDIAN: &str = r#"
    trap '' INT
    postgres=$1 folder=$2; shift 2
    "$postgres" -D "$folder/data" "$@" </dev/null >"$folder/log" 2>&1 &
    server=$!
    read -r _
    kill -INT $server
    wait $server
    rm -rf "$folder"
"#;

/// A running throw-away cluster.
#[derive(Debug)]
pub struct Ephemeral {
    folder: PathBuf,
    guardian: Child,
}

impl Ephemeral {
    /// Starts a cluster with these extra settings, each as `name=value`.
    ///
    /// # Errors
    /// When PostgreSQL is not found or does not start.
    pub fn start(settings: &[&str]) -> Result<Ephemeral> {
        let (owner, caller) = (Account::for_postgres()?, Account::current()?);
        let installation = discover::newest()?;
        let folder = std::env::temp_dir().join(format!("bn-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        chown(&folder, Some(owner.uid), Some(owner.gid))?;
        initdb(&installation, &owner, &caller, &folder.join("data"), Durability::Unsynced)?;
        let mut command = Command::new("sh");
        command.args(["-c", GUARDIAN, "guardian"]).arg(installation.bin.join("postgres")).arg(&folder);
        command.args(["-c", "listen_addresses=", "-c"]).arg(format!("unix_socket_directories={}", folder.display()));
        for setting in settings {
            command.args(["-c", setting]);
        }
        run_as(&mut command, &owner, &caller);
        let guardian =
            command.stdin(Stdio::piped()).process_group(0).current_dir("/").spawn().context("starting sh")?;
        let ephemeral = Ephemeral { folder, guardian };
        ephemeral.wait_until_ready()?;
        Ok(ephemeral)
    }

    /// How to connect to one of its databases; `postgres` is there from the start.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(&self.folder).username(ROLE).database(database)
    }

    /// The same as an address, for other programs.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{ROLE}@localhost/{database}?host={}", self.folder.display())
    }

    /// The folder that holds the data, the socket and the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Line 8 of `postmaster.pid` says `ready`; watching it is several times faster than `pg_ctl -w`.
    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let status = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut log = String::new();
        fs::File::open(self.folder.join("log")).and_then(|mut file| file.read_to_string(&mut log)).unwrap_or_default();
        bail!("PostgreSQL was not ready after {START_TIMEOUT:?}: {}", log.trim())
    }
}

impl Drop for Ephemeral {
    /// Ends the guardian's input and waits until it has cleaned up.
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}
