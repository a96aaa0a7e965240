//! The processes of the run, workers and enqueuers: this very program, which starts itself again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use queue::backend::ConsumerConfig;
use sqlx::postgres::PgConnectOptions;
use tests::again::{Again, asked_to_end};
use tests::random::Random;
use workers::child::{self, ChildConfig};

use super::event::{Diary, What};
use super::{enqueuer, jobs};

/// Leases are short, so that many are lost in a run.
pub(super) const LEASE: Duration = Duration::from_millis(600);
pub(super) const HEARTBEAT: Duration = Duration::from_millis(150);

/// Set for the other process: what it is to be.
const ROLE: &str = "HISTORY_CHILD_ROLE";
/// The database's address.
const DATABASE: &str = "HISTORY_CHILD_DATABASE";
/// The file for what it sees.
const DIARY: &str = "HISTORY_CHILD_DIARY";
/// The seed of its choices.
const SEED: &str = "HISTORY_CHILD_SEED";

/// What a process is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Worker,
    Enqueuer,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        match self {
            Role::Worker => "worker",
            Role::Enqueuer => "enqueuer",
        }
    }
}

/// How to start a process.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    pub(super) role: Role,
    pub(super) database: &'a str,
    pub(super) diary: PathBuf,
    pub(super) log: &'a Path,
    pub(super) seed: u64,
    /// What else is to stand in its environment.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

impl Recipe<'_> {
    pub(super) fn start(self) -> Again {
        let seed = self.seed.to_string();
        let usual = [
            (ROLE, self.role.name().into()),
            (DATABASE, self.database.into()),
            (DIARY, self.diary.into()),
            (SEED, seed.into()),
        ];
        let main = "history::child::run_as_a_child";
        Again::start(main, self.log, usual.into_iter().chain(self.environment))
    }
}

#[test]
#[ignore = "not a test: the processes that the tests beside it start"]
fn run_as_a_child() {
    let variable = |name| std::env::var(name).ok();
    let (Some(role), Some(database)) = (variable(ROLE), variable(DATABASE)) else { return };
    let (Some(diary), Some(seed)) = (variable(DIARY), variable(SEED)) else { return };
    // Panics of jobs are told and expected.
    let level = tracing_subscriber::EnvFilter::new("warn,queue=info");
    tracing_subscriber::fmt().with_ansi(false).with_env_filter(level).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let diary = Arc::new(Diary::open(Path::new(&diary)));
        let options: PgConnectOptions = database.parse().unwrap();
        let pool = queue::pool_options().max_connections(10).acquire_timeout(Duration::from_secs(2));
        let pool = pool.connect_lazy_with(options);
        diary.note(What::Started);
        if role == Role::Enqueuer.name() {
            let seed = Random::new(seed.parse().unwrap());
            return enqueuer::run(&pool, &diary, seed, asked_to_end()).await;
        }
        let mut consumer = ConsumerConfig::new(pool, jobs::registry(diary));
        (consumer.lease, consumer.heartbeat) = (LEASE, HEARTBEAT);
        (consumer.concurrency, consumer.poll) = (8, Duration::from_millis(200));
        let config = ChildConfig { deadline: Duration::from_secs(3), ..ChildConfig::new(consumer) };
        child::run(config, asked_to_end()).await.unwrap();
    });
}
