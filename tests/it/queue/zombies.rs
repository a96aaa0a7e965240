//! Jobs that go on after their process has lost its lease: whatever they try is refused and writes nothing (I7).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use queue::inspect::JobState;
use queue::lease::{self, Rescued};
use queue::{Job, JobContext, JobError, NewJob, Registry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use super::support::{Act, QUEUE, Told, Worker, effects, enqueue, find, make_effects, reaches, told};

/// Writes in its transaction, says that it has, waits at the gate, and then tries something.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Try {
    Heartbeat,
    /// Without a transaction of its own.
    HeartbeatAlone,
    Progress,
    Step,
    Cursor,
    /// Ends a step, takes no notice of the answer, writes again and says that all is well.
    StepRegardless,
}

/// One process's side of the stage.
struct Stage {
    arrived: mpsc::UnboundedSender<()>,
    gate: Semaphore,
    /// What the tries came to.
    answers: Mutex<Vec<String>>,
}

impl Job for Try {
    const KIND: &'static str = "test.try";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let stage = ctx.state::<Stage>();
        if !matches!(self, Try::HeartbeatAlone) {
            write(ctx).await?;
            ctx.enqueue(told("follow-up", Act::Succeed)).await?;
        }
        stage.arrived.send(()).unwrap();
        stage.gate.acquire().await.unwrap().forget();
        let answer = match self {
            Try::Heartbeat | Try::HeartbeatAlone => ctx.heartbeat().await,
            Try::Progress => ctx.progress(&"zombie").await,
            Try::Step | Try::StepRegardless => ctx.commit_step(&"zombie").await,
            Try::Cursor => ctx.cursor::<String>().await.map(drop),
        };
        let told = match &answer {
            Ok(()) => "ok".to_owned(),
            Err(JobError::LeaseLost(lost)) => format!("lease lost: {lost}"),
            Err(other) => format!("something else: {other}"),
        };
        stage.answers.lock().unwrap().push(told);
        if matches!(self, Try::StepRegardless) {
            return write(ctx).await;
        }
        answer
    }
}

async fn write(ctx: &mut JobContext<'_>) -> Result<(), JobError> {
    sqlx::query("insert into effect values ('a')").execute(ctx.tx().await?).await?;
    Ok(())
}

/// A process that does not notice by itself within the test that its lease is gone.
async fn start(pool: &PgPool) -> (Worker, Arc<Stage>, mpsc::UnboundedReceiver<()>) {
    let (arrived, arrivals) = mpsc::unbounded_channel();
    let stage = Arc::new(Stage { arrived, gate: Semaphore::new(0), answers: Mutex::default() });
    let registry = Registry::new().job::<Try>().job::<Told>().state(stage.clone());
    let worker = Worker::start_with(pool, |config| {
        config.consumer.registry = registry;
        config.consumer.heartbeat = Duration::from_secs(3_600);
    })
    .await;
    (worker, stage, arrivals)
}

/// What the row of the running job says that a zombie might have written.
async fn row(pool: &PgPool, id: Uuid) -> (Option<String>, Option<String>, Option<String>) {
    let row = "select progress::text, cursor::text, errors::text from queue.job where id = $1";
    let (progress, cursor, errors) = sqlx::query_as(row).bind(id).fetch_one(pool).await.unwrap();
    (progress, cursor, errors)
}

/// A job runs in a first process, is stolen, and runs in a second one; then the first one tries this.
async fn is_refused(what: Try) {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let (first, first_stage, mut first_arrivals) = start(&pool).await;
    let ids = enqueue(&pool, &[NewJob::of(&what).unwrap()]).await;
    first_arrivals.recv().await.unwrap();
    let stolen = lease::release(&mut pool.acquire().await.unwrap(), 0, first.process).await.unwrap();
    assert_eq!(stolen, Rescued { ready: 1, poison: 0 });
    let (second, second_stage, mut second_arrivals) = start(&pool).await;
    second_arrivals.recv().await.unwrap();
    let before = row(&pool, ids[0]).await;
    first_stage.gate.add_permits(1);
    // The first is told to stop, so that all that it does has been done.
    first.stop().await;
    let answers = first_stage.answers.lock().unwrap().clone();
    assert_eq!(answers, ["lease lost: the job has been taken from this process"]);
    assert_eq!(row(&pool, ids[0]).await, before, "it wrote to the job");
    assert!(before.2.is_some_and(|errors| errors.contains("died")), "the crash is all that is told of it");
    assert!(effects(&pool).await.is_empty(), "its transaction was not rolled back");
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Running, "the job is the second's");
    second_stage.gate.add_permits(1);
    let job = reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_eq!((job.attempt, job.errors.len()), (1, 1), "a lost run is no failed attempt");
    assert_eq!(*second_stage.answers.lock().unwrap(), ["ok"]);
    second.stop().await;
}

#[tokio::test]
async fn a_heartbeat_of_a_former_holder_is_refused() {
    is_refused(Try::Heartbeat).await;
}

#[tokio::test]
async fn a_heartbeat_without_a_transaction_is_refused() {
    is_refused(Try::HeartbeatAlone).await;
}

#[tokio::test]
async fn progress_of_a_former_holder_is_refused() {
    is_refused(Try::Progress).await;
}

#[tokio::test]
async fn a_step_of_a_former_holder_is_refused() {
    is_refused(Try::Step).await;
}

#[tokio::test]
async fn a_former_holder_does_not_see_the_cursor() {
    is_refused(Try::Cursor).await;
}

#[tokio::test]
async fn a_former_holder_that_takes_no_notice_writes_nothing() {
    is_refused(Try::StepRegardless).await;
}
