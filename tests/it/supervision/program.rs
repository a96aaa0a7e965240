//! The pool that these tests run: this very program, started again as a supervisor, which starts it again as workers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use queue::Registry;
use queue::backend::ConsumerConfig;
use queue::crash::{self, Cause, Crash};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use workers::child::{self, ChildConfig};
use workers::metrics::page;
use workers::supervisor::lifeline::{Answers, Readiness};
use workers::supervisor::policy::Policy;
use workers::supervisor::pool::{self, Config, Ended};
use workers::supervisor::report::{self, Exit};
use workers::supervisor::{Care, EXIT_GIVEN_UP, orphan, signals};

use super::job::{State, Task};

/// Set for both programs: the settings, as JSON.
pub(super) const SETTINGS: &str = "SUPERVISION_TEST_SETTINGS";

/// The main function of the supervisor.
pub(super) const MAIN: &str = "supervision::program::run_as_a_pool";

/// How the pool is run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) database: String,
    /// Where the gate is, and files by which new processes are told to fail.
    pub(super) folder: PathBuf,
    pub(super) processes: u16,
    pub(super) concurrency: usize,
    pub(super) grace: Duration,
    pub(super) heartbeat_timeout: Option<Duration>,
    pub(super) ready_timeout: Duration,
    pub(super) rss_max: Option<u64>,
    pub(super) restarts_max: usize,
}

impl Settings {
    pub(super) fn new(database: String, folder: &Path) -> Settings {
        Settings {
            database,
            folder: folder.to_owned(),
            processes: 1,
            concurrency: 4,
            grace: Duration::from_secs(60),
            heartbeat_timeout: None,
            ready_timeout: Duration::from_secs(120),
            rss_max: None,
            restarts_max: 1_000,
        }
    }

    /// While this file is there, jobs wait.
    pub(super) fn gate(&self) -> PathBuf {
        self.folder.join("gate")
    }

    /// While this file is there, new workers end at once.
    pub(super) fn doomed(&self) -> PathBuf {
        self.folder.join("doomed")
    }

    /// While this file is there, new workers never come to work.
    pub(super) fn idle(&self) -> PathBuf {
        self.folder.join("idle")
    }

    fn from_env() -> Option<Settings> {
        serde_json::from_str(&std::env::var(SETTINGS).ok()?).ok()
    }
}

/// As the service does: who reads the log may be gone, and that stops nobody.
fn start_logging() {
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr);
    log.log_internal_errors(false).init();
}

#[test]
#[ignore = "not a test: the supervisor that the tests beside it start"]
fn run_as_a_pool() {
    let Some(settings) = Settings::from_env() else { return };
    start_logging();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let shutdown = signals::shutdown(String::new).unwrap();
        let database = PgPool::connect_lazy(&settings.database).unwrap();
        let bound = page::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let care = Care {
            heartbeat_timeout: settings.heartbeat_timeout,
            ready_timeout: settings.ready_timeout,
            rss_max: settings.rss_max,
        };
        let config = Config {
            processes: settings.processes,
            command: Arc::new(|_| worker()),
            grace: settings.grace,
            policy: Policy { restarts_max: settings.restarts_max, ..Policy::default() },
            care,
            orders: signals::orders().unwrap(),
            metrics: Arc::new(String::new),
            on_crash: Box::new(move |exit| clean_up_after(database.clone(), exit)),
        };
        pool::run(config, bound, shutdown).await.unwrap()
    });
    if ended == Ended::GivenUp {
        std::process::exit(i32::from(EXIT_GIVEN_UP));
    }
}

/// The settings are in the environment, which a child has too.
fn worker() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["supervision::program::run_as_a_worker", "--exact", "--ignored", "--nocapture"]);
    command
}

fn clean_up_after(pool: PgPool, exit: Exit) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        use std::os::unix::process::ExitStatusExt;
        let cause = match exit.cause {
            report::Cause::Asked | report::Cause::Died => Cause::Died,
            report::Cause::Silent => Cause::Silent,
            report::Cause::Overdue => Cause::Overdue,
        };
        let crash = Crash {
            slot: exit.name,
            pid: exit.pid,
            cause,
            exit_code: exit.status.code(),
            signal: exit.status.signal(),
            uptime_ms: exit.uptime.as_millis() as i64,
            rss_bytes_max: exit.rss_max.map(|bytes| bytes as i64),
            last_lines: exit.last_lines,
        };
        let mut connection = pool.acquire().await.unwrap();
        let held = crash::give_back(&mut connection, 0, crash.pid).await.unwrap();
        crash::report(&mut connection, 0, &crash, &held).await.unwrap();
    })
}

#[test]
#[ignore = "not a test: the worker process that the supervisor beside it starts"]
fn run_as_a_worker() {
    let Some(settings) = Settings::from_env() else { return };
    start_logging();
    if settings.doomed().exists() {
        eprintln!("told to end at once");
        std::process::exit(3);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let readiness = Readiness::default();
        let answers = Answers { metrics: Box::new(String::new), readiness: readiness.clone() };
        let shutdown = signals::shutdown_and_answer(answers).unwrap();
        orphan::end_late_orphan(settings.grace).unwrap();
        if settings.idle().exists() {
            return shutdown.cancelled().await;
        }
        let pool = PgPool::connect(&settings.database).await.unwrap();
        let state = Arc::new(State { pool: pool.clone(), gate: settings.gate() });
        let registry = Registry::new().job::<Task>().state(state);
        let consumer = ConsumerConfig {
            concurrency: settings.concurrency,
            // So long that whatever comes back sooner was given back.
            lease: Duration::from_secs(600),
            ..ConsumerConfig::new(pool, registry)
        };
        let deadline = settings.grace.mul_f64(0.6);
        let config =
            ChildConfig { deadline, patience: settings.grace.mul_f64(0.2), readiness, ..ChildConfig::new(consumer) };
        child::run(config, shutdown.cancelled_owned()).await.unwrap();
    });
}
