//! A worker process that can be killed.

use std::time::Duration;

use jobs::State;
use ledger::keys::SigningKey;
use queue::backend::ConsumerConfig;
use sqlx::{ConnectOptions, PgPool};
use tests::again::{Again, asked_to_end};
use workers::child::{self, ChildConfig};

/// Set for the process that is to be a worker: the database's address.
const DATABASE: &str = "WORKER_TEST_DATABASE";
const LEASE: Duration = Duration::from_millis(600);

/// It runs all jobs of a database until it is killed, at the latest when this is dropped.
pub(super) struct Worker {
    process: Again,
    folder: tempfile::TempDir,
}

impl Worker {
    pub(super) fn start(pool: &PgPool) -> Worker {
        let folder = tempfile::tempdir().unwrap();
        let database = pool.connect_options().to_url_lossy().to_string().into();
        let process = Again::start("api::worker::run_as_a_worker", &folder.path().join("log"), [(DATABASE, database)]);
        Worker { process, folder }
    }

    pub(super) fn kill(&mut self) {
        self.process.kill();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
    }
}

#[test]
#[ignore = "not a test: the worker process that the tests beside it start"]
fn run_as_a_worker() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = PgPool::connect(&database).await.unwrap();
        let registry = jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()));
        let mut consumer = ConsumerConfig::new(pool, registry);
        (consumer.lease, consumer.heartbeat) = (LEASE, Duration::from_millis(150));
        child::run(ChildConfig::new(consumer), asked_to_end()).await.unwrap();
    });
}
