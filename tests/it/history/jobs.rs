//! The jobs of the run: each does as it is told, and writes down what it does.

use std::sync::Arc;
use std::time::Duration;

use queue::schedule::{CATCH_UP_MAX, CatchUp, Schedule};
use queue::{Batch, BatchJob, EnqueueError, Job, JobContext, JobError, NewJob, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tests::random::Random;
use uuid::Uuid;

use super::event::{Claim, Diary, How, What};

/// What a job is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Act {
    /// Writes its effect in its own transaction.
    Write,
    /// Has its effect outside the database, and is settled without a transaction of its own.
    Do,
    /// Snoozes under every odd epoch.
    Snooze,
    /// Writes and then fails, on the first two attempts.
    FailTwice,
    /// Writes and then fails, always.
    Fail,
    /// Writes and then panics, on the first attempt.
    Panic,
    /// Takes longer than its kind may, on the first attempt.
    Hang,
    Cancel,
    Discard,
    /// Reports progress three times, then writes.
    Report,
    /// Writes, and enqueues another job with that.
    FollowUp,
}

impl Act {
    /// How often each is drawn, beside each other.
    const WEIGHTS: [(Act, u64); 11] = [
        (Act::Write, 30),
        (Act::Do, 20),
        (Act::Snooze, 8),
        (Act::FailTwice, 6),
        (Act::Fail, 3),
        (Act::Panic, 4),
        (Act::Hang, 3),
        (Act::Cancel, 4),
        (Act::Discard, 4),
        (Act::Report, 10),
        (Act::FollowUp, 8),
    ];

    fn draw(random: &mut Random) -> Act {
        let mut place = random.below(Act::WEIGHTS.iter().map(|(_, weight)| weight).sum());
        for (act, weight) in Act::WEIGHTS {
            if place < weight {
                return act;
            }
            place -= weight;
        }
        unreachable!("the place is below the sum")
    }

    /// Whether a job that succeeds has written to `history.effect`, once.
    pub(super) fn writes(self) -> bool {
        !matches!(self, Act::Do | Act::Fail | Act::Cancel | Act::Discard)
    }
}

/// A limit on how many jobs of a key run at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Limit {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) max: usize,
}

impl Limit {
    /// The name and the most of the one limit that the run has.
    pub(super) const NAME: &'static str = "history";
    pub(super) const MAX: u32 = 2;

    fn of(key: u64) -> Limit {
        Limit { name: Limit::NAME.to_owned(), key: key.to_string(), max: Limit::MAX as usize }
    }
}

/// The payload of every job of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) act: Act,
    /// How long it takes.
    pub(super) pause_ms: u64,
    /// Whether it goes with others in a batch.
    #[serde(default)]
    pub(super) batched: bool,
    /// The job that enqueued it.
    #[serde(default)]
    pub(super) parent: Option<Uuid>,
    /// Jobs of one key run in the order in which they were enqueued.
    #[serde(default)]
    pub(super) sequence: Option<String>,
    #[serde(default)]
    pub(super) limit: Option<Limit>,
    /// How long after its enqueuing it comes due.
    #[serde(default)]
    pub(super) delay_ms: u64,
    /// The schedule that made it, and for which time, in s since 1970. Put there by the database.
    #[serde(default)]
    pub(super) tick: Option<(String, i64)>,
    /// Put there by the database when it is claimed.
    #[serde(default)]
    pub(super) claim: Option<Claim>,
}

impl Told {
    pub(super) fn to(act: Act) -> Told {
        let (batched, parent, sequence, limit, tick, claim) = (false, None, None, None, None, None);
        Told { act, pause_ms: 0, batched, parent, sequence, limit, delay_ms: 0, tick, claim }
    }

    /// A job as the seed has it: most are short, some take longer than a lease.
    pub(super) fn draw(random: &mut Random) -> Told {
        let pause_ms = if random.below(12) == 0 { random.below(1_500) } else { random.below(60) };
        let batched = random.below(5) == 0;
        let act = if batched { BATCHED[random.below(BATCHED.len() as u64) as usize] } else { Act::draw(random) };
        let delay_ms = if random.below(20) == 0 { random.below(1_000) } else { 0 };
        let mut told = Told { pause_ms, batched, delay_ms, ..Told::to(act) };
        // Keys enough that a slow job holds up few others.
        match random.below(20) {
            // Batches have a queue of their own, and the order holds within a queue.
            0 => told.sequence = Some(format!("{batched}-{}", random.below(40))),
            1 | 2 => told.limit = Some(Limit::of(random.below(20))),
            _ => {}
        }
        told
    }

    /// The job to enqueue.
    pub(super) fn job(&self) -> Result<NewJob, EnqueueError> {
        let job = match self.act {
            _ if self.batched => NewJob::batch(&Together(self.clone())),
            Act::Hang => NewJob::of(&Hasty(self.clone())),
            Act::Fail => NewJob::of(&Doomed(self.clone())),
            _ => NewJob::of(&Single(self.clone())),
        }?;
        let job = if self.delay_ms > 0 { job.delay(Duration::from_millis(self.delay_ms)) } else { job };
        Ok(match (&self.sequence, &self.limit) {
            (Some(key), _) => job.sequence(key),
            (None, Some(limit)) => job.limit(&limit.name, &limit.key),
            (None, None) => job,
        })
    }
}

/// What the jobs of a batch may be told.
const BATCHED: [Act; 6] = [Act::Write, Act::Write, Act::Write, Act::FailTwice, Act::Discard, Act::Panic];

/// Writes down that a run has begun, and, whatever becomes of it, that it has ended.
struct Running {
    diary: Arc<Diary>,
    job: Uuid,
    claim: Claim,
    how: How,
}

impl Running {
    fn begin(diary: &Arc<Diary>, job: Uuid, attempt: u32, claim: Option<Claim>) -> Running {
        let claim = claim.expect("the database stamps each claim");
        diary.note(What::Begun { job, attempt, claim });
        Running { diary: diary.clone(), job, claim, how: How::Dropped }
    }

    fn end(self, ran: &Result<(), JobError>) {
        self.end_as(match ran {
            Ok(()) => How::Succeeded,
            Err(JobError::Retry(_) | JobError::RetryAfter(..)) => How::Retry,
            Err(JobError::Snooze(_)) => How::Snooze,
            Err(JobError::Cancel(_)) => How::Cancel,
            Err(JobError::Discard(_)) => How::Discard,
            Err(JobError::LeaseLost(_)) => How::Dropped,
        });
    }

    fn end_as(mut self, how: How) {
        self.how = how;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.diary.note(What::Ended { job: self.job, claim: self.claim, how: self.how });
    }
}

async fn run(told: Told, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
    let diary = ctx.state::<Diary>();
    let running = Running::begin(&diary, ctx.id(), ctx.attempt(), told.claim);
    let ran = act(&told, running.claim, &diary, ctx).await;
    running.end(&ran);
    ran
}

async fn act(told: &Told, claim: Claim, diary: &Diary, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
    let (id, first) = (ctx.id(), ctx.attempt() == 1);
    if told.act == Act::Report {
        for _ in 0..3 {
            pause(told.pause_ms / 3).await;
            ctx.progress(
                &serde_json::json!({"epoch": claim.epoch, "owner": claim.owner, "at_us": super::event::now_us()}),
            )
            .await?;
        }
    } else {
        pause(told.pause_ms).await;
    }
    if told.act == Act::Do {
        diary.note(What::Did { job: id, claim });
        return Ok(());
    }
    if told.act == Act::Snooze && claim.epoch % 2 == 1 {
        return Err(JobError::Snooze(Duration::from_millis(told.pause_ms)));
    }
    write(ctx.tx().await?, id, claim).await?;
    match told.act {
        Act::FailTwice if ctx.attempt() < 3 => Err(JobError::retry("told to fail twice")),
        Act::Fail => Err(JobError::retry("told to fail")),
        Act::Panic if first => panic!("told to panic"),
        Act::Hang if first => std::future::pending().await,
        Act::Cancel => Err(JobError::cancel("told to cancel")),
        Act::Discard => Err(JobError::discard("told to discard")),
        Act::FollowUp => {
            let child = Told { parent: Some(id), pause_ms: told.pause_ms / 4, ..Told::to(Act::Write) };
            ctx.enqueue(child.job()?).await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Only this process's clock is asked, so that one that was stopped goes on before it learns of anything.
async fn pause(pause_ms: u64) {
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
}

async fn write(conn: &mut PgConnection, job: Uuid, claim: Claim) -> Result<(), JobError> {
    let pid = i32::try_from(std::process::id()).expect("Linux counts processes in 22 bits");
    let insert = "insert into history.effect (job, epoch, owner, claimed_us, pid) values ($1, $2, $3, $4, $5)";
    let insert = sqlx::query(insert).bind(job).bind(claim.epoch).bind(claim.owner).bind(claim.at_us).bind(pid);
    insert.execute(conn).await?;
    Ok(())
}

const QUEUE: &str = "history";
/// The name of the schedule that the run has.
pub(super) const EVERY_SECOND: &str = "every-second";
const RETRY: Retry = Retry::exponential(Duration::from_millis(20)).longest(Duration::from_millis(200));

/// The usual job.
#[derive(Debug, Serialize, Deserialize)]
struct Single(Told);

impl Job for Single {
    const KIND: &'static str = "history.single";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = RETRY;
    const TIMEOUT: Duration = Duration::from_secs(5);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        run(self.0, ctx).await
    }
}

/// One that is given up after three attempts.
#[derive(Debug, Serialize, Deserialize)]
struct Doomed(Told);

impl Job for Doomed {
    const KIND: &'static str = "history.doomed";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = RETRY.max_attempts(3);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        run(self.0, ctx).await
    }
}

/// One that may not take long.
#[derive(Debug, Serialize, Deserialize)]
struct Hasty(Told);

impl Job for Hasty {
    const KIND: &'static str = "history.hasty";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = RETRY;
    const TIMEOUT: Duration = Duration::from_millis(200);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        run(Told { pause_ms: self.0.pause_ms.min(50), ..self.0 }, ctx).await
    }
}

/// Many at a time.
#[derive(Debug, Serialize, Deserialize)]
struct Together(Told);

impl BatchJob for Together {
    const KIND: &'static str = "history.together";
    const QUEUE: &'static str = "history_batch";
    const RETRY: Retry = RETRY;
    const TIMEOUT: Duration = Duration::from_secs(5);
    const BATCH_MAX: usize = 16;
    /// What has seen two crashes runs alone, so one at a time would make the queue's end long.
    const CONCURRENCY: usize = 4;

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let diary = batch.state::<Diary>();
        let items: Vec<_> = batch.items().iter().map(|item| (item.id, item.attempt, item.payload.0.clone())).collect();
        let begin = |(id, attempt, told): &(Uuid, u32, Told)| Running::begin(&diary, *id, *attempt, told.claim);
        let running: Vec<Running> = items.iter().map(begin).collect();
        pause(items.iter().map(|(_, _, told)| told.pause_ms).max().unwrap_or_default()).await;
        for (index, ((id, attempt, told), running)) in items.iter().zip(&running).enumerate() {
            match told.act {
                Act::Discard => {
                    batch.set(index, Err(JobError::discard("told to discard")));
                    continue;
                }
                Act::FailTwice if *attempt < 3 => return Err(JobError::retry("told to fail twice")),
                Act::Panic if *attempt == 1 => panic!("told to panic"),
                _ => write(batch.tx().await?, *id, running.claim).await?,
            }
        }
        for (running, (.., told)) in running.into_iter().zip(&items) {
            running.end_as(if told.act == Act::Discard { How::Discard } else { How::Succeeded });
        }
        Ok(())
    }
}

/// All of the above.
pub(super) fn registry(diary: Arc<Diary>) -> Registry {
    let limit = queue::Limit::running(Limit::NAME, Limit::MAX);
    let kinds = Registry::new().job::<Single>().job::<Doomed>().job::<Hasty>().batch::<Together>();
    kinds.limit(limit).schedule(every_second()).state(diary)
}

/// A schedule that misses no tick, whoever is away.
fn every_second() -> Schedule {
    let schedule = Schedule::of(EVERY_SECOND, &Single(Told::to(Act::Write)), "@every 1s");
    schedule.unwrap().catch_up(CatchUp::All(CATCH_UP_MAX))
}
