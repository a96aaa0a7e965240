//! The private cluster of `bitnexus up`: where it lies, how it is made, started and reached.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use workers::supervisor::ChildSpec;

use super::account::Account;
use super::discover::{self, Installation};
use super::initdb::{Durability, ROLE, SERVICE, initdb, run_as, write_access};
use super::{install, orphans, settings, socket, words};
use crate::folder::Folder;

/// Where the cluster lies when PostgreSQL's account cannot enter the folder that `up` was started in.
const SYSTEM_FOLDER: &str = "/var/lib/bitnexus";

/// How long a stop may take: PostgreSQL writes a checkpoint first.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// What its supervisor calls it.
pub const CHILD: &str = "postgres";

/// Its log, beside the data.
const LOG: &str = "postgres.log";

/// The database that everything of ours is in.
pub const DATABASE: &str = "bitnexus";

/// A cluster that is there, running or not.
#[derive(Debug, Clone)]
pub struct Private {
    /// The programs that run it.
    pub installation: Installation,
    /// The folder that holds the data and the log.
    pub home: PathBuf,
    /// The folder of its socket.
    pub socket: PathBuf,
    owner: Account,
    caller: Account,
}

impl Private {
    /// Finds the programs, and makes the cluster if it is not there. The caller holds the folder's lock.
    ///
    /// # Errors
    /// When PostgreSQL is not found, is of another major version than the data, or cannot make a cluster.
    pub fn prepare(folder: &Folder, fetch: bool) -> Result<Private> {
        let (caller, mut owner) = (Account::current()?, Account::for_postgres()?);
        let home = home(folder, &owner)?;
        let data = home.join("data");
        let major = major_of(&data);
        if major.is_some() && caller.uid == 0 {
            // The account that made it, even where a better one has come to the machine since.
            owner = Account::owner_of(&data)?;
        }
        let installation = match discover::find(major)? {
            Some(installation) => installation,
            None if major.is_some_and(|major| major != install::MAJOR) => bail!("{}", other_major(major, &home)),
            None if fetch || install::allowed() || install::agreed() => install::install()?,
            None => bail!("{}", major.map_or_else(discover::missing, |major| other_major(Some(major), &home))),
        };
        let socket = socket::path(&owner, &data);
        let private = Private { installation, home, socket, owner, caller };
        private.make(major.is_some())?;
        Ok(private)
    }

    /// Makes what is missing, and takes away what a killed server left in the way of the next.
    fn make(&self, exists: bool) -> Result<()> {
        let data = self.data();
        if !exists {
            self.create(&data)?;
        }
        write_access(&self.owner, &self.caller, &data)?;
        remove_stale_pid_file(&data)?;
        socket::make(&self.socket, &self.owner)
    }

    /// Makes the cluster beside its place and then moves it there, so that half a cluster is never taken for one.
    fn create(&self, data: &Path) -> Result<()> {
        let unfinished = self.home.join("data.tmp");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).context("removing a cluster that was not finished")?;
        }
        tracing::info!("making a new database cluster in {}", self.home.display());
        initdb(&self.installation, &self.owner, &self.caller, &unfinished, Durability::Synced)?;
        fs::rename(&unfinished, data).context("moving the new cluster to its place")?;
        File::open(&self.home).and_then(|folder| folder.sync_all()).context("flushing the new cluster's folder")
    }

    /// How to start it. Ctrl-C must not reach it, so it leads a session.
    ///
    /// We stop it by SIGINT, the fast shutdown, when everything else has stopped. When we are killed, the kernel sends
    /// SIGTERM, the smart shutdown: the workers drain on the connections that they have, and the last one out turns off
    /// the lights.
    pub fn spec(&self) -> ChildSpec {
        let private = self.clone();
        ChildSpec {
            stop_signal: Signal::INT,
            orphan_signal: Signal::TERM,
            grace: STOP_GRACE,
            lifeline: false,
            session: true,
            ..ChildSpec::new(CHILD, move || private.command())
        }
    }

    fn command(&self) -> Command {
        if server_of(&self.data()).is_none() {
            orphans::end(&self.data());
        }
        let mut command = Command::new(self.installation.bin.join("postgres"));
        command.arg("-D").arg(self.data());
        command.arg("-c").arg(format!("unix_socket_directories={}", self.socket.display()));
        for setting in settings::settings() {
            command.arg("-c").arg(setting);
        }
        if let Ok(log) = File::options().append(true).create(true).open(self.log())
            && let Ok(same) = log.try_clone()
        {
            command.stdout(log).stderr(same);
        }
        run_as(&mut command, &self.owner, &self.caller);
        command.current_dir("/").env("LC_ALL", "C");
        command
    }

    /// Whether the server with this process id accepts connections: line 8 of its pid file says so, which is several
    /// times faster than to ask `pg_ctl -w`.
    pub fn is_ready(&self, pid: u32) -> bool {
        let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = status.lines().map(str::trim);
        lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
    }

    /// The last lines of its log, for an error.
    pub fn log_tail(&self) -> String {
        words::tail(&self.log())
    }

    /// Why it ended or did not start, in its own words; none if it does not say.
    pub fn last_words(&self) -> Option<String> {
        words::last(&self.log())
    }

    /// How to connect to one of its databases.
    pub fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new().socket(&self.socket).username(ROLE).database(database)
    }

    /// The same for our database, as an address.
    pub fn url(&self) -> String {
        format!("postgres://{ROLE}@localhost/{DATABASE}?host={}", self.socket.display())
    }

    /// The address for api and workers, who log in as [`SERVICE`].
    pub fn service_url(&self) -> String {
        format!("postgres://{SERVICE}@localhost/{DATABASE}?host={}", self.socket.display())
    }

    /// Where its log goes.
    pub fn log(&self) -> PathBuf {
        self.home.join(LOG)
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Removes the socket's folder after the server has stopped.
    pub fn clean_up(&self) {
        if let Err(error) = fs::remove_dir_all(&self.socket) {
            tracing::debug!(%error, "the socket's folder was not removed");
        }
    }
}

/// Ends the server that a killed `up` left behind, and that some connection keeps from ending by itself, or what is left
/// of one whose first process was killed with it.
///
/// # Errors
/// When there is no account for PostgreSQL, or the server may not be signalled.
pub fn end_leftover(folder: &Folder) -> Result<()> {
    let data = place(folder, &Account::for_postgres()?).join("data");
    match server_of(&data).and_then(Pid::from_raw) {
        Some(pid) => kill_process(pid, Signal::INT).context("ending the PostgreSQL that was left behind"),
        None => {
            orphans::end(&data);
            Ok(())
        }
    }
}

/// Why the server of this folder ended or did not start, in its own words, and where its log is; none if it does not say.
pub fn last_words(folder: &Folder) -> Option<(String, PathBuf)> {
    let log = place(folder, &Account::for_postgres().ok()?).join(LOG);
    Some((words::last(&log)?, log))
}

/// The folder of the cluster: beside the rest, or where PostgreSQL's account can go.
fn place(folder: &Folder, owner: &Account) -> PathBuf {
    if owner.can_enter(folder.path()) {
        return folder.path().join("pg");
    }
    let hash = Sha256::digest(folder.path().as_os_str().as_bytes());
    let name: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Path::new(SYSTEM_FOLDER).join(name)
}

/// The folder of the cluster, made if it is not there.
fn home(folder: &Folder, owner: &Account) -> Result<PathBuf> {
    let home = place(folder, owner);
    if !home.exists() {
        let parent = home.parent().expect("the folder of the cluster lies in another");
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        DirBuilder::new().mode(0o700).create(&home).with_context(|| format!("making {}", home.display()))?;
        chown(&home, Some(owner.uid), Some(owner.gid)).with_context(|| format!("giving {} away", home.display()))?;
    }
    Ok(home)
}

/// The major version that made the cluster in `data`; none where there is no cluster.
fn major_of(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

fn other_major(major: Option<u32>, home: &Path) -> String {
    let major = major.unwrap_or_default();
    let found: Vec<_> = discover::all().into_iter().map(|installation| installation.version).collect();
    let found = if found.is_empty() { "no PostgreSQL".to_owned() } else { format!("only {}", found.join(", ")) };
    format!(
        "The data in {} was made by PostgreSQL {major}, and this machine has {found}. \
         Install PostgreSQL {major}, or name its programs with {}=/folder, or move {} away to start with an empty database.",
        home.display(),
        discover::VARIABLE,
        home.display(),
    )
}

/// Removes the pid file of a server that is gone, but whose number is still taken: by its zombie, or by a stranger
/// after the machine was restarted. PostgreSQL would refuse to start for as long as that lasts.
///
/// The caller holds a lock that every server of this folder inherits, so no server of ours lives; a server that
/// somebody started by hand is recognised by its working directory.
fn remove_stale_pid_file(data: &Path) -> Result<()> {
    if let Some(pid) = server_of(data) {
        bail!(
            "PostgreSQL already runs on {} as process {pid}, not started by `bitnexus up`; stop it first",
            data.display()
        );
    }
    match fs::remove_file(data.join("postmaster.pid")) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context("removing the pid file of a server that is gone")
        }
        _ => Ok(()),
    }
}

/// The server that its pid file names and that works in this folder: the number alone may be anybody's by now.
fn server_of(data: &Path) -> Option<i32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    let works_here = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == data);
    works_here.then_some(pid)
}
