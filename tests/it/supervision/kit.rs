//! A running pool under test, and what the database knows of its jobs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::time::Duration;

use queue::crash::{self, CrashView};
use queue::{NewJob, enqueue};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::PgPool;
use tempfile::TempDir;
use tests::again::Again;
use tests::database::Database;
use tests::processes::{Process, below};
use tests::wait::{until, until_async};
use uuid::Uuid;

use super::job::{Act, TABLES, Task};
use super::program::{MAIN, SETTINGS, Settings};

/// How long anything here may take, for a machine that is busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// A pool of worker processes; they are killed with the test.
pub(super) struct Bench {
    pub(super) pool: PgPool,
    pub(super) settings: Settings,
    folder: TempDir,
    supervisor: Again,
    /// The workers ever seen, so that none is left behind.
    seen: BTreeMap<u32, Process>,
    _database: Database,
}

impl Bench {
    /// Starts a pool and waits until its processes are at work.
    pub(super) async fn start(configure: impl FnOnce(&mut Settings)) -> Bench {
        let mut bench = Bench::start_any(configure, &[]).await;
        bench.workers(usize::from(bench.settings.processes)).await;
        bench
    }

    /// Starts a pool that may never come to work.
    pub(super) async fn start_any(configure: impl FnOnce(&mut Settings), environment: &[(&str, OsString)]) -> Bench {
        let database = Database::create().await;
        let pool = database.pool(4).await;
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(database.url(), folder.path());
        configure(&mut settings);
        let text = serde_json::to_string(&settings).unwrap();
        let environment = environment.iter().cloned().chain([(SETTINGS, text.into())]);
        let supervisor = Again::start(MAIN, &folder.path().join("log"), environment);
        Bench { pool, settings, folder, supervisor, seen: BTreeMap::new(), _database: database }
    }

    /// The processes that are at work, once there are so many and no others.
    pub(super) async fn workers(&mut self, number: usize) -> Vec<u32> {
        let live = "select pid from queue.process where lost_at is null order by id";
        until_async("so many workers", PATIENCE, async || {
            let running = self.running();
            let pids: Vec<i32> = sqlx::query_scalar(live).fetch_all(&self.pool).await.unwrap();
            let pids: Vec<u32> = pids.into_iter().map(i32::cast_unsigned).collect();
            let is_so = pids.len() == number && running.len() == number && pids.iter().all(|pid| running.contains(pid));
            is_so.then_some(pids)
        })
        .await
    }

    /// The worker processes that run now, at work or not.
    pub(super) fn running(&mut self) -> Vec<u32> {
        let supervisor = self.supervisor.pid().cast_unsigned();
        let workers: Vec<Process> = below(supervisor).into_iter().filter(|process| process.pid != supervisor).collect();
        let pids = workers.iter().map(|worker| worker.pid).collect();
        self.seen.extend(workers.into_iter().map(|worker| (worker.pid, worker)));
        pids
    }

    /// Waits until no worker that was ever seen runs any more.
    pub(super) async fn wait_until_none_is_left(&self) {
        until("the workers to end", PATIENCE, || self.seen.values().all(|worker| !worker.is_running()).then_some(()))
            .await;
    }

    /// Enqueues so many tasks.
    pub(super) async fn enqueue(&self, act: Act, number: usize) -> Vec<Uuid> {
        let jobs: Vec<NewJob> = (0..number).map(|_| NewJob::of(&Task { act }).unwrap()).collect();
        let mut tx = self.pool.begin().await.unwrap();
        let enqueued = enqueue(&mut tx, &jobs).await.unwrap();
        tx.commit().await.unwrap();
        enqueued.into_iter().map(|one| one.id).collect()
    }

    /// Waits until the job has been begun so often; says where.
    pub(super) async fn begun(&self, job: Uuid, times: usize) -> Vec<u32> {
        let begun = "select pid from supervision.begun where job = $1";
        until_async("a job to begin", PATIENCE, async || {
            let pids: Vec<i32> = sqlx::query_scalar(begun).bind(job).fetch_all(&self.pool).await.unwrap();
            (pids.len() >= times).then(|| pids.into_iter().map(i32::cast_unsigned).collect())
        })
        .await
    }

    /// Waits until so many effects are there in all; then each job has had one, at its first attempt, and none is left.
    pub(super) async fn all_done_once(&self, number: usize) {
        let count = "select count(*) from queue.job_history where state = 4";
        until_async("all jobs to succeed", PATIENCE * 2, async || {
            let done: i64 = sqlx::query_scalar(count).fetch_one(&self.pool).await.unwrap();
            (done >= number as i64).then_some(())
        })
        .await;
        let sums: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "select (select count(*) from supervision.effect), (select count(distinct job) from supervision.effect),
                    (select count(*) from queue.job_history where state = 4 and attempt = 1),
                    (select count(*) from queue.job), (select count(*) from queue.dead_job)",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        let number = number as i64;
        assert_eq!(sums, (number, number, number, 0, 0), "effects, jobs with one, at the first attempt, left, dead");
    }

    /// Where the job's effect was written.
    pub(super) async fn effect_of(&self, job: Uuid) -> u32 {
        let effect = "select pid from supervision.effect where job = $1";
        let pid: i32 = until_async("an effect", PATIENCE, async || {
            sqlx::query_scalar(effect).bind(job).fetch_optional(&self.pool).await.unwrap()
        })
        .await;
        pid.cast_unsigned()
    }

    /// The crash reports, once there are so many.
    pub(super) async fn crashes(&self, number: usize) -> Vec<CrashView> {
        until_async("crash reports", PATIENCE, async || {
            let crashes = crash::list(&mut self.pool.acquire().await.unwrap(), 0, 1_000).await.unwrap();
            (crashes.len() >= number).then_some(crashes)
        })
        .await
    }

    /// Waits until the log has this so many times.
    pub(super) async fn logged(&self, text: &str, times: usize) {
        until(text, PATIENCE, || (self.log().matches(text).count() >= times).then_some(())).await;
    }

    /// What the supervisor and its workers have logged.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Has jobs wait.
    pub(super) fn shut_gate(&self) {
        fs::write(self.settings.gate(), "").unwrap();
    }

    /// Has jobs wait no longer.
    pub(super) fn open_gate(&self) {
        fs::remove_file(self.settings.gate()).unwrap();
    }

    /// Sends the supervisor a signal.
    pub(super) fn order(&self, order: Signal) {
        signal(self.supervisor.pid().cast_unsigned(), order);
    }

    /// Stops the supervisor, as SIGSTOP does, until it is told to go on.
    pub(super) fn stop_supervisor(&self) {
        self.supervisor.stop();
    }

    /// Kills the supervisor and nothing else.
    pub(super) fn kill_supervisor(&mut self) {
        self.running();
        self.supervisor.kill();
    }

    /// Stops the pool in order; its exit code.
    pub(super) async fn end(&mut self) -> Option<i32> {
        self.running();
        self.order(Signal::TERM);
        self.ended().await
    }

    /// Waits until the supervisor ends by itself; its exit code.
    pub(super) async fn ended(&mut self) -> Option<i32> {
        until("the supervisor to end", PATIENCE, || self.supervisor.has_ended().then_some(())).await;
        self.supervisor.exit_code()
    }
}

/// Sends a process a signal.
pub(super) fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.kill_supervisor();
        for worker in self.seen.values().filter(|worker| worker.is_running()) {
            // It may have ended just now.
            let _ = kill_process(Pid::from_raw(worker.pid.cast_signed()).unwrap(), Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("what the pool logged:\n{}", self.log());
        }
    }
}
