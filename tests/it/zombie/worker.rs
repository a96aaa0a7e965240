//! A worker process with the jobs of this test: this very program, which starts itself again.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use queue::Registry;
use queue::backend::ConsumerConfig;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use tempfile::TempDir;
use workers::child::{self, ChildConfig};

use super::job::{Hold, HoldBatch, State};

/// Set for the process that is to be a worker: the database's address.
const DATABASE: &str = "ZOMBIE_TEST_DATABASE";
/// Set for it as well: the file that holds its jobs up.
const GATE: &str = "ZOMBIE_TEST_GATE";

/// A running worker process; it is killed with the test.
pub(super) struct Worker {
    folder: TempDir,
    process: Child,
}

impl Worker {
    /// Starts one.
    pub(super) fn start(database: &str) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["zombie::worker::run_as_a_worker", "--exact", "--ignored", "--nocapture"]);
        command.env(DATABASE, database).env(GATE, folder.path().join("gate"));
        // The pipe ends with this process, however that ends, and the worker with the pipe.
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap();
        Worker { folder, process }
    }

    pub(super) fn pid(&self) -> i32 {
        i32::try_from(self.process.id()).unwrap()
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
        self.signal(Signal::STOP);
    }

    pub(super) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// What it has logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn gate(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid()).unwrap(), signal).unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
        let state = State { pool: pool.clone(), gate: gate.into() };
        let registry = Registry::new().job::<Hold>().batch::<HoldBatch>().state(Arc::new(state));
        let mut consumer = ConsumerConfig::new(pool, registry);
        (consumer.lease, consumer.heartbeat) = (Duration::from_secs(2), Duration::from_millis(500));
        let (sender, orphaned) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            // Nothing is ever written to it: the answer is its end.
            let _ = std::io::stdin().read(&mut [0]);
            drop(sender);
        });
        child::run(ChildConfig::new(consumer), async { orphaned.await.unwrap_or_default() }).await.unwrap();
    });
}
