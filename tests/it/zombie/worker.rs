//! A worker process with the jobs of this test: this very program, which starts itself again.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use queue::Registry;
use queue::backend::ConsumerConfig;
use sqlx::PgPool;
use tempfile::TempDir;
use tests::again::{Again, asked_to_end};
use workers::child::{self, ChildConfig};

use super::job::{Hold, HoldBatch, State};

/// Set for the process that is to be a worker: the database's address.
const DATABASE: &str = "ZOMBIE_TEST_DATABASE";
/// Set for it as well: the file that holds its jobs up.
const GATE: &str = "ZOMBIE_TEST_GATE";
/// Set for one whose lease is long, and whose heartbeat never comes.
const OBLIVIOUS: &str = "ZOMBIE_TEST_OBLIVIOUS";

/// A running worker process; it is killed with the test.
pub(super) struct Worker {
    folder: TempDir,
    process: Again,
}

impl Worker {
    /// Starts one.
    pub(super) fn start(database: &str) -> Worker {
        Worker::start_with(database, None)
    }

    /// Starts one that does not notice by itself that its lease is gone.
    pub(super) fn start_oblivious(database: &str) -> Worker {
        Worker::start_with(database, Some((OBLIVIOUS, "1".into())))
    }

    fn start_with(database: &str, setting: Option<(&'static str, OsString)>) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let environment = [(DATABASE, database.into()), (GATE, folder.path().join("gate").into())];
        let process = Again::start(
            "zombie::worker::run_as_a_worker",
            &folder.path().join("log"),
            environment.into_iter().chain(setting),
        );
        Worker { folder, process }
    }

    pub(super) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Has its jobs wait.
    pub(super) fn hold(&self) {
        fs::write(self.gate(), "").unwrap();
    }

    /// Has its jobs wait no longer.
    pub(super) fn let_go(&self) {
        fs::remove_file(self.gate()).unwrap();
    }

    pub(super) fn stop(&self) {
        self.process.stop();
    }

    pub(super) fn go_on(&self) {
        self.process.go_on();
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn gate(&self) -> PathBuf {
        self.folder.path().join("gate")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("what worker {} logged:\n{}", self.pid(), self.log());
        }
    }
}

#[test]
#[ignore = "not a test: the worker process that the tests beside it start"]
fn run_as_a_worker() {
    let (Ok(database), Some(gate)) = (std::env::var(DATABASE), std::env::var_os(GATE)) else { return };
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = PgPool::connect(&database).await.unwrap();
        let is_oblivious = std::env::var_os(OBLIVIOUS).is_some();
        let state = State { pool: pool.clone(), gate: gate.into(), is_oblivious };
        let registry = Registry::new().job::<Hold>().batch::<HoldBatch>().state(Arc::new(state));
        let mut consumer = ConsumerConfig::new(pool, registry);
        (consumer.lease, consumer.heartbeat) = (Duration::from_secs(2), Duration::from_millis(500));
        if is_oblivious {
            (consumer.lease, consumer.heartbeat) = (Duration::from_secs(7_200), Duration::from_secs(3_600));
        }
        child::run(ChildConfig::new(consumer), asked_to_end()).await.unwrap();
    });
}
