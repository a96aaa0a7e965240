//! A PostgreSQL of a test's own that may be stopped, started again and crashed, as no shared one may.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli::postgres::account::Account;
use cli::postgres::discover::{self, Installation};
use cli::postgres::initdb::{Durability, ROLE, initdb, run_as};
use rustix::process::{Pid, Signal, kill_process};

use crate::faketime::Clock;
use crate::processes;
use crate::random::Random;

/// How long a start, crash recovery included, may take.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an orderly shutdown may take before it is made a disorderly one.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How often something is looked at that gives no signal of its own.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until its standard input ends, which is when the process that holds it is gone, however that happened; then
/// ends the server that runs by then, and removes the folder.
const GUARDIAN: &str = r#"
    trap '' INT
    read -r _
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -d "/proc/${pid:-none}" ] && sleep 0.2; done
    rm -rf "$1"
"#;

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Sessions are ended, and everything is written.
    Fast,
    /// Everything ends at once; what was not flushed is lost, and the next start recovers.
    Immediate,
}

/// A running server; it ends, and its folder goes, with the process that started it.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    installation: Installation,
    accounts: (Account, Account),
    settings: Vec<String>,
    clock: Option<Clock>,
    postgres: Child,
    guardian: Child,
}

impl Server {
    /// Starts one with these extra settings, each as `name=value`.
    pub fn start(settings: &[&str]) -> Server {
        Server::start_by(settings, None)
    }

    /// Starts one that takes the time from this [library](crate::faketime::library).
    pub fn start_with_clock(settings: &[&str], library: &Path) -> Server {
        Server::start_by(settings, Some(library))
    }

    /// Starts a hot standby of it, which streams its log, with the same settings.
    pub fn standby(&self) -> Server {
        let settings: Vec<&str> = self.settings.iter().map(String::as_str).collect();
        Server::start_in(&settings, None, |installation, accounts, folder| {
            let mut copy = Command::new(installation.bin.join("pg_basebackup"));
            copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--username", ROLE, "--host"]);
            copy.arg(&self.folder).arg("--pgdata").arg(folder.join("data")).current_dir("/");
            run_as(&mut copy, &accounts.0, &accounts.1);
            let copied = copy.output().expect("pg_basebackup starts");
            assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        })
    }

    fn start_by(settings: &[&str], library: Option<&Path>) -> Server {
        Server::start_in(settings, library, |installation, (owner, caller), folder| {
            let data = folder.join("data");
            initdb(installation, owner, caller, &data, Durability::Unsynced).expect("a new cluster can be made");
            let mut access = fs::File::options().append(true).open(data.join("pg_hba.conf")).expect("initdb makes it");
            access.write_all(b"local replication all peer map=bitnexus\n").expect("the folder is writable");
        })
    }

    /// Starts one whose data this makes in the folder.
    fn start_in(
        settings: &[&str],
        library: Option<&Path>,
        make: impl FnOnce(&Installation, &(Account, Account), &Path),
    ) -> Server {
        let owner = Account::for_postgres().expect("an account that PostgreSQL may run as");
        let caller = Account::current().expect("the account of the tests is known");
        let installation = discover::newest().expect("the tests need PostgreSQL 14 or newer on this machine");
        let folder = std::env::temp_dir().join(format!("bn-{}", uuid::Uuid::new_v4().simple()));
        fs::create_dir(&folder).expect("the temporary folder can be written");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).expect("the folder is ours");
        chown(&folder, Some(owner.uid), Some(owner.gid)).expect("only root runs PostgreSQL as somebody else");
        let accounts = (owner, caller);
        make(&installation, &accounts, &folder);
        let mut guardian = Command::new("sh");
        guardian
            .args(["-c", GUARDIAN, "guardian"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .process_group(0)
            .current_dir("/");
        run_as(&mut guardian, &accounts.0, &accounts.1);
        let guardian = guardian.spawn().expect("sh starts");
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let clock = library.map(|library| Clock::new(library, folder.join("clock")));
        let postgres = spawn(&folder, &installation, &accounts, &settings, clock.as_ref());
        let server = Server { folder, installation, accounts, settings, clock, postgres, guardian };
        server.wait_until_ready();
        server
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The address of one of its databases by way of the socket in this folder, its own or a proxy's.
    pub fn url_through(&self, socket_folder: &Path, database: &str) -> String {
        format!("postgres://{ROLE}@localhost/{database}?host={}", socket_folder.display())
    }

    /// The address of one of its databases; `postgres` is there from the start.
    pub fn url(&self, database: &str) -> String {
        self.url_through(&self.folder, database)
    }

    /// Puts its clock forward or back, to so many seconds from the true one.
    pub fn set_clock(&self, seconds: i64) {
        self.clock.as_ref().expect("it was started with a clock of its own").set(seconds);
    }

    /// Stops it and starts it again; returns when it is ready.
    pub fn restart(&mut self, how: Shutdown) {
        self.signal(if how == Shutdown::Fast { Signal::INT } else { Signal::QUIT });
        let asked = Instant::now();
        while self.postgres.try_wait().expect("it is our child").is_none() {
            if asked.elapsed() > STOP_TIMEOUT {
                self.signal(Signal::QUIT);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        self.postgres = spawn(&self.folder, &self.installation, &self.accounts, &self.settings, self.clock.as_ref());
        self.wait_until_ready();
    }

    /// Kills one of its processes other than the first: the server ends all sessions and recovers by itself.
    pub fn crash(&self, random: &mut Random) {
        let first = self.postgres.id();
        let others: Vec<_> = processes::below(first).into_iter().filter(|process| process.pid != first).collect();
        if !others.is_empty() {
            let victim = others[random.below(others.len() as u64) as usize].pid;
            // It may have ended by itself meanwhile.
            let _ = kill_process(pid(victim), Signal::KILL);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(self.postgres.id()), signal).expect("a child that was not waited for is there");
    }

    /// Line 8 of `postmaster.pid` says `ready`; line 1 says whose it is.
    fn wait_until_ready(&self) {
        let started = Instant::now();
        let own = self.postgres.id().to_string();
        while started.elapsed() < START_TIMEOUT {
            let status = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
            let mut lines = status.lines();
            if lines.next() == Some(own.as_str()) && lines.nth(6).is_some_and(|line| line.trim() == "ready") {
                return;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL was not ready after {START_TIMEOUT:?}:\n{log}");
    }
}

impl Drop for Server {
    /// Ends the server, then the guardian's input, and waits until it has cleaned up.
    fn drop(&mut self) {
        let _ = kill_process(pid(self.postgres.id()), Signal::QUIT);
        let _ = self.postgres.wait();
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

fn pid(number: u32) -> Pid {
    i32::try_from(number).ok().and_then(Pid::from_raw).expect("a process id")
}

fn spawn(
    folder: &Path,
    installation: &Installation,
    accounts: &(Account, Account),
    settings: &[String],
    clock: Option<&Clock>,
) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).expect("the folder is ours");
    let mut command = Command::new(installation.bin.join("postgres"));
    command.arg("-D").arg(folder.join("data"));
    command.args(["-c", "listen_addresses=", "-c"]).arg(format!("unix_socket_directories={}", folder.display()));
    for setting in settings {
        command.args(["-c", setting]);
    }
    run_as(&mut command, &accounts.0, &accounts.1);
    clock.iter().for_each(|clock| clock.give(&mut command));
    let log_too = log.try_clone().expect("a file can be shared");
    command.stdin(Stdio::null()).stdout(log_too).stderr(log).process_group(0).current_dir("/");
    command.spawn().expect("postgres starts")
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, PgConnection};

    use super::*;

    #[tokio::test]
    async fn it_comes_back_with_what_was_committed() {
        let mut server = Server::start(&["fsync=off"]);
        let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::query("create table kept (number integer)").execute(&mut connection).await.unwrap();
        for how in [Shutdown::Fast, Shutdown::Immediate] {
            sqlx::query("insert into kept values (1)").execute(&mut connection).await.unwrap();
            server.restart(how);
            assert!(connection.ping().await.is_err(), "its sessions are gone");
            connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
        }
        let kept: i64 = sqlx::query_scalar("select count(*) from kept").fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept, 2);
        server.crash(&mut Random::new(1));
        let asks = async { while connection.ping().await.is_ok() {} };
        tokio::time::timeout(START_TIMEOUT, asks).await.expect("a crash ends all sessions");
        let folder = server.folder().to_owned();
        drop(server);
        assert!(!folder.exists());
    }
}
