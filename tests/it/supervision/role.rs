//! The real binary as a role of its own, on a database of the test's own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use sqlx::PgPool;
use tempfile::TempDir;
use tests::binary;
use tests::database::Database;
use tests::processes::{Process, Role as Kind, below};
use tests::wait::until;

use super::kit::{PATIENCE, signal};

/// Where a role runs: a folder with a key, and a database.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) pool: PgPool,
    database: Database,
}

impl Place {
    pub(super) async fn make() -> Place {
        let database = Database::create().await;
        let (folder, pool) = (tempfile::tempdir().unwrap(), database.pool(2).await);
        let place = Place { folder, pool, database };
        let made = place.command(&binary::path(), &["ledger", "key", "new", "--origin", "test.example/log"]);
        let made = { made }.arg(place.key()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        place
    }

    /// The file with the key that signs checkpoints, without which no worker process starts.
    pub(super) fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    pub(super) fn url(&self) -> String {
        self.database.url()
    }

    /// A command with this place's settings.
    pub(super) fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for variable in ["METRICS_LISTEN", "API_LISTEN", "PORT", "PS", "NOTIFY_SOCKET", "SHUTDOWN_TIMEOUT"] {
            command.env_remove(variable);
        }
        command.env("DATABASE_URL", self.url()).env("LEDGER_SIGNING_KEY_FILE", self.key());
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    /// Runs the binary to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command(&binary::path(), arguments).output().unwrap()
    }

    /// Starts a worker role on a free port.
    pub(super) fn worker(&self, arguments: &[&str]) -> Running {
        let arguments = [&["worker", "--metrics-listen", "127.0.0.1:0"], arguments].concat();
        self.start(&mut self.command(&binary::path(), &arguments))
    }

    /// Starts a program whose output goes to the log.
    pub(super) fn start(&self, command: &mut Command) -> Running {
        let path = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(&path).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
        Running { child: command.spawn().unwrap(), log: path, seen: Vec::new() }
    }
}

/// A program that runs, with all that it has started; nothing of that outlives the test.
pub(super) struct Running {
    child: Child,
    log: PathBuf,
    seen: Vec<Process>,
}

impl Running {
    /// It and all below it that are running.
    pub(super) fn processes(&mut self) -> Vec<Process> {
        let now = below(self.child.id());
        self.seen.extend(now.iter().filter(|process| !self.seen.contains(process)).cloned().collect::<Vec<_>>());
        now
    }

    /// The worker processes below it.
    pub(super) fn workers(&mut self) -> Vec<Process> {
        self.processes().into_iter().filter(|process| process.role == Kind::Worker).collect()
    }

    pub(super) fn signal(&self, number: Signal) {
        signal(self.child.id(), number);
    }

    /// Waits until it ends; its exit code, none if a signal ended it.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        until("the role to end", PATIENCE, || self.child.try_wait().unwrap()).await.code()
    }

    /// Waits until nothing that was ever seen below it runs any more.
    pub(super) async fn wait_until_none_is_left(&self) {
        until("all to end", PATIENCE, || self.seen.iter().all(|process| !process.is_running()).then_some(())).await;
    }

    /// Waits until the log has this so many times.
    pub(super) async fn logged(&self, text: &str, times: usize) {
        until(text, PATIENCE, || (self.log().matches(text).count() >= times).then_some(())).await;
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.processes();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in self.seen.iter().filter(|process| process.is_running()) {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_raw(process.pid.cast_signed()).unwrap(),
                Signal::KILL,
            );
        }
        if std::thread::panicking() {
            eprintln!("what it logged:\n{}", self.log());
        }
    }
}
