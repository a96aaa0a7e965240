//! A PgBouncer of a test's own, in transaction pooling mode, before the tests' server.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cli::postgres::account::Account;
use cli::postgres::initdb::{ROLE, run_as};
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use crate::wait::until;

/// The oldest version that knows prepared statements in transaction mode, which our driver makes.
const VERSION_MIN: (u32, u32) = (1, 21);
/// Names the program, where it is not `pgbouncer`.
const VARIABLE: &str = "TEST_PGBOUNCER";
const PORT: u16 = 6432;
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running PgBouncer; it ends with this.
#[derive(Debug)]
pub struct Bouncer {
    folder: TempDir,
    process: Child,
}

/// The program, or what is missing.
fn program() -> Result<PathBuf, String> {
    // Debian puts it where only root's path leads.
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let known = ["pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/bin/pgbouncer"].map(PathBuf::from);
    for program in named.into_iter().chain(known) {
        let Ok(output) = Command::new(&program).arg("--version").output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { continue };
        let enough = (major, minor) >= VERSION_MIN;
        let refusal = || format!("PgBouncer {version} knows no prepared statements; 1.21 or newer is needed");
        return enough.then_some(program).ok_or_else(refusal);
    }
    Err(format!("there is no pgbouncer here; install it, or name it in {VARIABLE}"))
}

impl Bouncer {
    /// Starts one before the server whose socket lies in this folder, with this many connections to each database.
    ///
    /// # Errors
    /// What is missing on this machine.
    pub async fn start(server: &Path, connections: u32) -> Result<Bouncer, String> {
        let program = program()?;
        let (owner, caller) = (Account::for_postgres(), Account::current());
        let (owner, caller) = (owner.expect("PostgreSQL runs"), caller.expect("this account is known"));
        let folder = tempfile::Builder::new().prefix("bn-pool-").tempdir().expect("the temporary folder is writable");
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the folder is ours");
        chown(path, Some(owner.uid), Some(owner.gid)).expect("only root runs PostgreSQL as somebody else");
        let (server, shown) = (server.display(), path.display());
        let settings = format!(
            "[databases]\n* = host={server}\n[pgbouncer]\npool_mode = transaction\nlisten_addr =\n\
             listen_port = {PORT}\nunix_socket_dir = {shown}\nauth_type = trust\nauth_file = {shown}/users\n\
             logfile = {shown}/log\npidfile = {shown}/pid\ndefault_pool_size = {connections}\n\
             max_prepared_statements = 200\nignore_startup_parameters = extra_float_digits,options\n"
        );
        fs::write(path.join("settings.ini"), settings).expect("the folder is ours");
        fs::write(path.join("users"), format!("\"{ROLE}\" \"\"\n")).expect("the folder is ours");
        let mut command = Command::new(program);
        command.arg("-q").arg(path.join("settings.ini")).current_dir("/");
        run_as(&mut command, &owner, &caller);
        let process = command.stdin(Stdio::null()).spawn().expect("a program that says its version starts");
        let bouncer = Bouncer { folder, process };
        let socket = bouncer.folder.path().join(format!(".s.PGSQL.{PORT}"));
        until("pgbouncer to start", PATIENCE, || socket.exists().then_some(())).await;
        Ok(bouncer)
    }

    /// These connection options, by way of it.
    pub fn before(&self, options: PgConnectOptions) -> PgConnectOptions {
        options.socket(self.folder.path()).port(PORT)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("what pgbouncer logged:\n{}", self.log());
        }
    }
}
