//! Jobs that do as they are told, and a worker process within the test's own.

use std::sync::Arc;
use std::time::Duration;

use queue::backend::ConsumerConfig;
use queue::inspect::{self, JobState, JobView};
use queue::{Batch, BatchJob, Job, JobContext, JobError, NewJob, Priority, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool};
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;
use workers::child::{self, ChildConfig};

/// The queue of the tests' jobs.
pub(super) const QUEUE: &str = "test";

/// What a job is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Act {
    Succeed,
    /// Writes its name to the table `effect` in its own transaction.
    Write,
    /// Does so, then waits at the gate, then succeeds.
    WriteAndWait,
    Wait,
    Fail,
    /// Writes, and then fails.
    WriteAndFail,
    /// Fails as long as the attempt is below this.
    FailBefore(u32),
    RetryAfter(Duration),
    /// Snoozes once, then succeeds.
    SnoozeOnce(Duration),
    Discard,
    Cancel,
    Panic,
    Hang,
    Return(i32),
}

/// A job that is run by itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) act: Act,
}

/// The same as a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ToldTogether {
    pub(super) name: String,
    pub(super) act: Act,
}

/// What the test sees of running jobs, and holds them up with.
pub(super) struct Stage {
    seen: mpsc::UnboundedSender<Seen>,
    pub(super) gate: Semaphore,
    snoozed: Mutex<Vec<String>>,
}

/// One run of a job, or of a batch: names in order, joined by a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) attempt: u32,
}

impl Stage {
    fn show(&self, name: &str, attempt: u32) {
        let _ = self.seen.send(Seen { name: name.to_owned(), attempt });
    }

    async fn wait(&self) {
        self.gate.acquire().await.expect("the gate is never closed").forget();
    }
}

impl Job for Told {
    const KIND: &'static str = "test.told";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(20)).max_attempts(3);
    const TIMEOUT: Duration = Duration::from_secs(30);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let stage = ctx.state::<Stage>();
        stage.show(&self.name, ctx.attempt());
        match self.act {
            Act::Succeed => Ok(()),
            Act::Write => write(ctx.tx().await?, &self.name).await,
            Act::WriteAndWait => {
                write(ctx.tx().await?, &self.name).await?;
                stage.wait().await;
                Ok(())
            }
            Act::Wait => {
                stage.wait().await;
                Ok(())
            }
            Act::Fail => Err(JobError::retry(std::io::Error::other("told to fail"))),
            Act::WriteAndFail => {
                write(ctx.tx().await?, &self.name).await?;
                Err(JobError::retry("told to fail"))
            }
            Act::FailBefore(attempt) if ctx.attempt() < attempt => Err(JobError::retry("told to fail")),
            Act::FailBefore(_) => Ok(()),
            Act::RetryAfter(delay) => Err(JobError::retry_after("told to wait", delay)),
            Act::SnoozeOnce(delay) => {
                let mut snoozed = stage.snoozed.lock().await;
                if snoozed.contains(&self.name) {
                    return Ok(());
                }
                snoozed.push(self.name);
                Err(JobError::Snooze(delay))
            }
            Act::Discard => Err(JobError::discard("told to discard")),
            Act::Cancel => Err(JobError::cancel("told to cancel")),
            Act::Panic => panic!("told to panic"),
            Act::Hang => std::future::pending().await,
            Act::Return(number) => ctx.set_result(&number),
        }
    }
}

/// A kind with a short timeout.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hasty {
    pub(super) name: String,
}

impl Job for Hasty {
    const KIND: &'static str = "test.hasty";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(20)).max_attempts(1);
    const TIMEOUT: Duration = Duration::from_millis(50);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        write(ctx.tx().await?, &self.name).await?;
        std::future::pending().await
    }
}

impl BatchJob for ToldTogether {
    const KIND: &'static str = "test.told_together";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(20)).max_attempts(2);
    const PRIORITY: Priority = Priority::HIGH;
    const BATCH_MAX: usize = 64;

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let names: Vec<String> = batch.items().iter().map(|item| item.payload.name.clone()).collect();
        batch.state::<Stage>().show(&names.join(","), batch.items()[0].attempt);
        for (index, name) in names.iter().enumerate() {
            match batch.items()[index].payload.act.clone() {
                Act::Fail => return Err(JobError::retry("told to fail")),
                Act::Panic => panic!("told to panic"),
                Act::Discard => batch.set(index, Err(JobError::discard("told to discard"))),
                Act::WriteAndWait => {
                    write(batch.tx().await?, name).await?;
                    batch.state::<Stage>().wait().await;
                }
                _ => write(batch.tx().await?, name).await?,
            }
        }
        Ok(())
    }
}

async fn write(conn: &mut sqlx::PgConnection, name: &str) -> Result<(), JobError> {
    sqlx::query("insert into effect values ($1)").bind(name).execute(conn).await?;
    Ok(())
}

/// The table that jobs write to.
pub(super) async fn make_effects(pool: &PgPool) {
    sqlx::query("create table effect (name text not null)").execute(pool).await.unwrap();
}

/// What has been written, in alphabetical order.
pub(super) async fn effects(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select name from effect order by name").fetch_all(pool).await.unwrap()
}

/// A worker process, as far as the database can tell.
pub(super) struct Worker {
    pub(super) process: Uuid,
    pub(super) stage: Arc<Stage>,
    seen: mpsc::UnboundedReceiver<Seen>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Worker {
    /// Starts one, with a lease of a minute and a poll of a tenth of a second.
    pub(super) async fn start(pool: &PgPool) -> Worker {
        Worker::start_with(pool, |_| {}).await
    }

    pub(super) async fn start_with(pool: &PgPool, configure: impl FnOnce(&mut ChildConfig)) -> Worker {
        let (seen_sender, seen) = mpsc::unbounded_channel();
        let stage = Arc::new(Stage { seen: seen_sender, gate: Semaphore::new(0), snoozed: Mutex::default() });
        let registry = Registry::new().job::<Told>().job::<Hasty>().batch::<ToldTogether>().state(stage.clone());
        let mut consumer = ConsumerConfig::new(pool.clone(), registry);
        consumer.lease = Duration::from_secs(60);
        consumer.heartbeat = Duration::from_millis(100);
        consumer.poll = Duration::from_millis(100);
        let (registered, id) = oneshot::channel();
        let mut config = ChildConfig { registered: Some(registered), ..ChildConfig::new(consumer) };
        configure(&mut config);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(child::run(config, async {
            let _ = stopped.await;
        }));
        Worker { process: id.await.unwrap(), stage, seen, stop: Some(stop), task }
    }

    /// The next run of a job; fails the test if none comes.
    pub(super) async fn next(&mut self) -> Seen {
        let next = tokio::time::timeout(PATIENCE, self.seen.recv());
        next.await.expect("a job runs").expect("the worker lives")
    }

    /// The names of the next runs.
    pub(super) async fn next_names(&mut self, number: usize) -> Vec<String> {
        let mut names = Vec::new();
        for _ in 0..number {
            names.push(self.next().await.name);
        }
        names
    }

    /// Whether a run has begun that was not looked at.
    pub(super) fn has_more(&mut self) -> bool {
        !self.seen.is_empty()
    }

    /// Asks it to stop, without waiting.
    pub(super) fn ask_to_stop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
    }

    /// Stops it in order.
    pub(super) async fn stop(mut self) {
        self.ask_to_stop();
        tokio::time::timeout(PATIENCE, self.task).await.expect("it stops").unwrap().unwrap();
    }

    /// Ends it as SIGKILL would: nothing is given back. Its tasks go with the runtime.
    pub(super) fn abandon(self) {
        self.task.abort();
    }
}

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn told(name: &str, act: Act) -> NewJob {
    NewJob::of(&Told { name: name.to_owned(), act }).unwrap()
}

pub(super) fn together(name: &str, act: Act) -> NewJob {
    NewJob::batch(&ToldTogether { name: name.to_owned(), act }).unwrap()
}

/// Enqueues in a transaction of its own; returns the ids.
pub(super) async fn enqueue(pool: &PgPool, jobs: &[NewJob]) -> Vec<Uuid> {
    let mut tx = pool.begin().await.unwrap();
    let enqueued = queue::enqueue(&mut tx, jobs).await.unwrap();
    tx.commit().await.unwrap();
    assert!(enqueued.iter().all(|one| one.created));
    enqueued.into_iter().map(|one| one.id).collect()
}

pub(super) async fn find(pool: &PgPool, id: Uuid) -> JobView {
    inspect::find(&mut pool.acquire().await.unwrap(), 0, id).await.unwrap().expect("the job is somewhere")
}

/// Waits until the job is in this state, and returns it.
pub(super) async fn reaches(pool: &PgPool, id: Uuid, state: JobState) -> JobView {
    waits_for(|| async {
        let job = find(pool, id).await;
        (job.state == state).then_some(job)
    })
    .await
}

/// Looks again and again until there is something, or the test's patience is at its end.
pub(super) async fn waits_for<T, F: Future<Output = Option<T>>>(look: impl Fn() -> F) -> T {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let found = async {
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("what is waited for happens")
}

/// Cuts every connection to the test's database but the one that asks; returns how many there were.
pub(super) async fn cut(conn: impl PgExecutor<'_>) -> i64 {
    let all = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query_scalar(all).fetch_one(conn).await.unwrap()
}

/// How many rows a statement counts.
pub(super) async fn count(pool: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.unwrap()
}
