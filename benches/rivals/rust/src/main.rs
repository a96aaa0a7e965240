//! Drives one rival: `rivals RIVAL ACTION [NUMBER…]`, on the database that `DATABASE_URL` names.
//!
//! It answers in lines of JSON on standard output, the same as the drivers in `../node`:
//!
//! | action | does | says |
//! |---|---|---|
//! | `setup` | makes the rival's tables | `{"event":"ready"}` |
//! | `fill JOBS BATCH` | enqueues jobs, a batch in each call | `{"event":"filled","jobs":…,"seconds":…}` |
//! | `enqueue CLIENTS SECONDS` | enqueues from so many tasks, one job in each call | `{"event":"enqueued","jobs":…,"seconds":…}` |
//! | `work JOBS` | starts a worker; ends with standard input | `{"event":"starting"}`, and `{"event":"ran"}` after so many jobs |
//! | `pickup SAMPLES` | enqueues one job at a time to its own worker | `{"event":"picked","ms":[…]}` |

mod apalis_postgres;
mod graphile_worker;
mod riverqueue;

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

/// The one that our side has as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A job that does nothing; its JSON has about 106 bytes.
#[derive(Debug, Clone, Serialize, Deserialize, ::riverqueue::JobArgs)]
#[river(kind = "nothing")]
pub struct Nothing {
    number: usize,
    filler: String,
}

impl Nothing {
    fn new(number: usize) -> Nothing {
        Nothing { number, filler: "x".repeat(80) }
    }
}

/// What each rival is asked to do, by its own documented interface.
pub trait Rival: Clone + Send + Sync + 'static {
    /// Connections that its own documentation or benchmark gives it.
    const CONNECTIONS: u32;
    /// Makes its tables.
    fn setup(pool: PgPool) -> impl Future<Output = Result<()>> + Send;
    /// Ready to enqueue and to work.
    fn new(pool: PgPool) -> impl Future<Output = Result<Self>> + Send;
    /// Enqueues these in one call.
    fn bulk(&self, jobs: Vec<Nothing>) -> impl Future<Output = Result<()>> + Send;
    /// Enqueues one.
    fn one(&self, job: Nothing) -> impl Future<Output = Result<()>> + Send;
    /// Works until the process ends; each job calls [`ran`].
    fn work(self) -> impl Future<Output = Result<()>> + Send;
}

/// The first jobs of each client are not counted: they find the worker still starting and the statements unprepared.
const WARM_UP: usize = 20;

/// Jobs run so far, and after how many of them to say so.
static RAN: AtomicUsize = AtomicUsize::new(0);
static TARGET: AtomicUsize = AtomicUsize::new(0);
/// Told when a job begins.
static BEGUN: OnceLock<mpsc::UnboundedSender<Instant>> = OnceLock::new();

/// All that a job does.
pub fn ran() {
    if let Some(begun) = BEGUN.get() {
        begun.send(Instant::now()).expect("whoever measures waits for each job");
    }
    if RAN.fetch_add(1, Ordering::Relaxed) + 1 == TARGET.load(Ordering::Relaxed) {
        say(&json!({"event": "ran"}));
    }
}

fn say(event: &Value) {
    println!("{event}");
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rival, action, numbers @ ..] = arguments.as_slice() else { bail!("rivals RIVAL ACTION [NUMBER…]") };
    let numbers: Vec<usize> = numbers.iter().map(|number| number.parse()).collect::<Result<_, _>>()?;
    match rival.as_str() {
        "apalis-postgres" => act::<apalis_postgres::Apalis>(action, &numbers).await,
        "graphile_worker" => act::<graphile_worker::Graphile>(action, &numbers).await,
        "riverqueue" => act::<riverqueue::River>(action, &numbers).await,
        other => bail!("no rival is called {other}"),
    }
}

async fn act<R: Rival>(action: &str, numbers: &[usize]) -> Result<()> {
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    // Not tested before each use, which would double the way of each statement; ours are not either.
    let options = PgPoolOptions::new().max_connections(R::CONNECTIONS).test_before_acquire(false);
    let pool = options.connect(&url).await?;
    if action == "setup" {
        R::setup(pool).await?;
        say(&json!({"event": "ready"}));
        return Ok(());
    }
    let rival = R::new(pool).await?;
    match (action, numbers) {
        ("fill", [jobs, batch]) => fill(&rival, *jobs, *batch).await,
        ("enqueue", [clients, seconds]) => enqueue(&rival, *clients, Duration::from_secs(*seconds as u64)).await,
        ("work", [jobs]) => work(rival, *jobs).await,
        ("pickup", [samples]) => pickup(rival, *samples).await,
        other => bail!("no action is called {other:?}"),
    }
}

async fn fill<R: Rival>(rival: &R, jobs: usize, batch: usize) -> Result<()> {
    let started = Instant::now();
    for start in (0..jobs).step_by(batch) {
        rival.bulk((start..jobs.min(start + batch)).map(Nothing::new).collect()).await?;
    }
    say(&json!({"event": "filled", "jobs": jobs, "seconds": started.elapsed().as_secs_f64()}));
    Ok(())
}

async fn enqueue<R: Rival>(rival: &R, clients: usize, span: Duration) -> Result<()> {
    // Connections are made, and statements prepared, before the clock starts.
    from_tasks(rival, clients, |done, _| done < WARM_UP).await?;
    let started = Instant::now();
    let jobs = from_tasks(rival, clients, move |_, began| began.elapsed() < span).await?;
    say(&json!({"event": "enqueued", "jobs": jobs, "seconds": started.elapsed().as_secs_f64()}));
    Ok(())
}

/// Enqueues one job after the other from each of so many tasks, while `more` says so; it is told how many the task has
/// enqueued and when all began. Answers how many jobs.
async fn from_tasks<R: Rival>(
    rival: &R,
    clients: usize,
    more: impl Fn(usize, Instant) -> bool + Copy + Send + 'static,
) -> Result<usize> {
    let began = Instant::now();
    let client = |_| {
        let rival = rival.clone();
        tokio::spawn(async move {
            let mut done = 0;
            while more(done, began) {
                rival.one(Nothing::new(done)).await?;
                done += 1;
            }
            anyhow::Ok(done)
        })
    };
    let mut jobs = 0;
    for client in (0..clients).map(client).collect::<Vec<_>>() {
        jobs += client.await??;
    }
    Ok(jobs)
}

async fn work<R: Rival>(rival: R, jobs: usize) -> Result<()> {
    TARGET.store(jobs, Ordering::Relaxed);
    say(&json!({"event": "starting"}));
    let mut input = tokio::io::stdin();
    let mut byte = [0];
    tokio::select! {
        ended = rival.work() => bail!("the worker ended: {ended:?}"),
        // Whoever started this process has seen enough; the database goes with it.
        _ = input.read(&mut byte) => std::process::exit(0),
    }
}

async fn pickup<R: Rival>(rival: R, samples: usize) -> Result<()> {
    let (sender, mut begun) = mpsc::unbounded_channel();
    BEGUN.set(sender).expect("it is set once");
    tokio::spawn(rival.clone().work());
    let mut waits = Vec::with_capacity(samples);
    for number in 0..samples + WARM_UP {
        rival.one(Nothing::new(number)).await?;
        let enqueued = Instant::now();
        let begun = begun.recv().await.context("the worker is gone")?;
        if number >= WARM_UP {
            waits.push(begun.saturating_duration_since(enqueued).as_secs_f64() * 1_000.0);
        }
        // 3 to 19 ms, so that no poll is met in step.
        tokio::time::sleep(Duration::from_millis(3 + (number as u64).wrapping_mul(2_654_435_761) / 7 % 17)).await;
    }
    say(&json!({"event": "picked", "ms": waits}));
    std::process::exit(0)
}
