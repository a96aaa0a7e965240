//! The tasks by which a worker process takes part in the queue: lease, claim, settle, upkeep and listening.
//!
//! Each has a connection of its own, so that none waits for another, and each outlives any loss of it. The worker (see
//! [`backend`](crate::backend)) takes runs from the lanes and reports their outcomes; it never speaks to the database.

mod fetch;
mod flush;
mod keep;
mod listen;
mod unblock;
mod upkeep;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cancel::Cancellations;
use crate::claim::Claimed;
use crate::lane::Lane;
use crate::lease::Generation;
use crate::metrics::{IN_HAND, PLACES, RUNS};
use crate::own_tx::TxSource;
use crate::run::Executor;
use crate::settle::{Settlement, Verdict};
use crate::share::Share;
use crate::{Notifier, Random, Registry};

pub(crate) use flush::Outcome;

/// How a worker process takes part in the queue.
#[derive(Debug)]
pub struct ConsumerConfig {
    /// Where jobs begin their transactions; it also says how to connect.
    pub pool: PgPool,
    /// The kinds of job.
    pub registry: Registry,
    /// The queues to serve; all that the registry's kinds use if there are none.
    pub queues: Vec<String>,
    /// How many runs (jobs or batches) of each queue are under way at once.
    pub concurrency: usize,
    /// How many runs of all queues together are under way at once, if they are to share; then by [`weights`].
    ///
    /// [`weights`]: ConsumerConfig::weights
    pub concurrency_of_all: Option<usize>,
    /// The weights by which queues share: one of weight 3 begins three runs for each of one of weight 1, as long as both
    /// have jobs. A queue that is not named has weight 1.
    pub weights: HashMap<String, u32>,
    /// Which shard to serve.
    pub shard: i16,
    /// How long the process keeps its jobs after its last heartbeat.
    pub lease: Duration,
    /// The time between heartbeats, and how long at most until the process hears that a queue or a kind has been paused
    /// or a job cancelled.
    pub heartbeat: Duration,
    /// How often to look for jobs that no notification told of; half as often while this process listens for them.
    pub poll: Duration,
    /// How long outcomes may wait for others to be written with.
    pub linger: Duration,
    /// How many days of history to keep.
    pub history_days: u64,
}

impl ConsumerConfig {
    /// The usual settings: 16 runs a queue, a lease of 10 s renewed each second, a poll each second, 30 days of history.
    pub fn new(pool: PgPool, registry: Registry) -> ConsumerConfig {
        ConsumerConfig {
            pool,
            registry,
            queues: Vec::new(),
            concurrency: 16,
            concurrency_of_all: None,
            weights: HashMap::new(),
            shard: 0,
            lease: Duration::from_secs(10),
            heartbeat: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            linger: Duration::from_millis(5),
            history_days: 30,
        }
    }
}

/// The numbers that the tasks need of [`ConsumerConfig`].
#[derive(Debug)]
struct Timing {
    lease: Duration,
    heartbeat: Duration,
    poll: Duration,
    linger: Duration,
    history_days: u64,
}

/// What the tasks of one process share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) shard: i16,
    pub(crate) executor: Executor,
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// Tells the claiming task that there is room, or that there may be jobs.
    pub(crate) fetch: Arc<Notify>,
    /// Tells the promoting task that something was scheduled.
    promote: Notify,
    /// Tells the task that tells waiting jobs that others have ended.
    unblock: Notify,
    /// Tells the task that looks after leases of others that one has run out.
    rescue: Notify,
    /// Tells the lease's task that operators have said something.
    control: Notify,
    /// Whether notifications arrive.
    is_listening: AtomicBool,
    /// The kinds that are paused, as of the last heartbeat.
    paused_kinds: RwLock<HashSet<String>>,
    /// Tells the firing task that a schedule was changed.
    schedules: Notify,
    pub(crate) outcomes: mpsc::UnboundedSender<Outcome>,
    lease: watch::Sender<Option<Arc<Generation>>>,
    /// Since when heartbeats have not failed, and the database's clock was not put forward; none before the first. Who has
    /// just come back from an outage may not call others lost, who come back as well.
    steady_since: Mutex<Option<Instant>>,
    /// What time it was when the database's clock had been put back, until the claiming task has taken note of it.
    put_back: Mutex<Option<DateTime<Utc>>>,
    stopping: CancellationToken,
    ended: CancellationToken,
    timing: Timing,
}

/// A process's part in the queue, from start to stop.
#[derive(Debug)]
pub struct Consumer {
    pub(crate) shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Consumer {
    /// Starts the tasks; they connect, and connect again, by themselves.
    pub fn start(config: ConsumerConfig) -> Consumer {
        let options = config.pool.connect_options();
        let (outcomes, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(config, outcomes));
        let mut tasks = JoinSet::new();
        tasks.spawn(keep::run(shared.clone(), options.clone()));
        tasks.spawn(fetch::run(shared.clone(), options.clone()));
        tasks.spawn(flush::run(shared.clone(), options.clone(), receiver));
        tasks.spawn(upkeep::promote_all(shared.clone(), options.clone()));
        tasks.spawn(upkeep::fire_all(shared.clone(), options.clone()));
        tasks.spawn(upkeep::rescue_all(shared.clone(), options.clone()));
        tasks.spawn(unblock::unblock_all(shared.clone(), options.clone()));
        tasks.spawn(upkeep::fold_all(shared.clone(), options.clone()));
        tasks.spawn(listen::run(shared.clone(), options));
        Consumer { shared, tasks }
    }

    /// Waits until the process is registered; returns the id of its lease.
    pub async fn registered(&self) -> Uuid {
        let mut lease = self.shared.lease.subscribe();
        let current = lease.wait_for(Option::is_some).await.expect("the sender is part of this");
        current.as_ref().expect("it was waited for").id
    }

    /// The queues that it serves.
    pub fn queues(&self) -> Vec<&str> {
        self.shared.lanes.iter().map(|lane| lane.queue.as_str()).collect()
    }

    /// Claims nothing more, begins nothing more, and gives back at once what was not begun. What runs goes on.
    pub fn stop_claiming(&self) {
        self.shared.stopping.cancel();
        for (index, lane) in self.shared.lanes.iter().enumerate() {
            self.shared.give_back(index, &lane.stop(), Verdict::Returned);
        }
    }

    /// Ends the tasks: what still runs is interrupted and given back, what is done is written, the lease is given up.
    /// Takes at most this long; whatever is not done by then, a rescue does.
    pub async fn finish(mut self, patience: Duration) {
        self.stop_claiming();
        if let Some(generation) = self.shared.generation() {
            generation.lost.cancel();
        }
        self.shared.ended.cancel();
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, all_ended).await.is_err() {
            tracing::warn!("the queue's tasks did not end in time; others will rescue what is left");
        }
    }
}

impl Shared {
    fn new(config: ConsumerConfig, outcomes: mpsc::UnboundedSender<Outcome>) -> Shared {
        let ConsumerConfig { pool, registry, queues, concurrency, shard, .. } = config;
        let queues =
            if queues.is_empty() { registry.queues().into_iter().map(str::to_owned).collect() } else { queues };
        let fetch = Arc::new(Notify::new());
        let weights: Vec<u32> = queues.iter().map(|queue| *config.weights.get(queue).unwrap_or(&1)).collect();
        let share = config.concurrency_of_all.map(|runs| Arc::new(Share::new(runs, &weights)));
        let lane = |(index, queue): (usize, &String)| {
            let share = share.clone().map(|share| (share, index));
            Arc::new(Lane::new(queue, concurrency, registry.of_queue(queue), share, fetch.clone()))
        };
        let lanes = queues.iter().enumerate().map(lane).collect();
        let executor = Executor {
            shard,
            notifier: Notifier::spawn(pool.clone()),
            source: TxSource::new(pool, config.lease / 2),
            registry,
            cancellations: Cancellations::new(),
            random: Mutex::new(Random::from_os()),
        };
        Shared {
            shard,
            executor,
            lanes,
            fetch,
            promote: Notify::new(),
            unblock: Notify::new(),
            rescue: Notify::new(),
            control: Notify::new(),
            is_listening: AtomicBool::new(false),
            paused_kinds: RwLock::default(),
            schedules: Notify::new(),
            outcomes,
            lease: watch::Sender::new(None),
            steady_since: Mutex::new(None),
            put_back: Mutex::new(None),
            stopping: CancellationToken::new(),
            ended: CancellationToken::new(),
            timing: Timing {
                lease: config.lease,
                heartbeat: config.heartbeat,
                poll: config.poll,
                linger: config.linger,
                history_days: config.history_days,
            },
        }
    }

    /// The time between two looks for jobs that nothing told of.
    fn poll_gap(&self) -> Duration {
        let factor = if self.is_listening.load(Ordering::Relaxed) { 2 } else { 1 };
        self.timing.poll * factor
    }

    /// The present lease, if the process is registered.
    fn generation(&self) -> Option<Arc<Generation>> {
        self.lease.borrow().clone()
    }

    /// Tells how busy the lanes are; with each claim and each heartbeat.
    fn measure(&self) {
        for lane in &self.lanes {
            let (runs, in_hand) = lane.load();
            metrics::gauge!(RUNS.name, "queue" => lane.queue.clone()).set(runs as f64);
            metrics::gauge!(IN_HAND.name, "queue" => lane.queue.clone()).set(in_hand as f64);
            metrics::gauge!(PLACES.name, "queue" => lane.queue.clone()).set(lane.concurrency() as f64);
        }
    }

    /// Hands an outcome to the settling task.
    pub(crate) fn report(&self, outcome: Outcome) {
        // The settling task outlives all who report, save when the runtime itself goes down.
        let _ = self.outcomes.send(outcome);
    }

    /// Gives back jobs that are in hand and will not be run here.
    fn give_back(&self, lane: usize, jobs: &[Claimed], verdict: Verdict) {
        let given_back = |job: &Claimed| Settlement { holding: job.holding, ctid: None, verdict: verdict.clone() };
        self.report(Outcome::unrun(lane, jobs.iter().map(given_back).collect()));
    }

    fn paused_kinds(&self) -> RwLockReadGuard<'_, HashSet<String>> {
        self.paused_kinds.read().expect("nothing panics while it is held")
    }

    fn lane(&self, queue: &str) -> Option<&Arc<Lane>> {
        self.lanes.iter().find(|lane| lane.queue == queue)
    }

    /// There may be jobs in these queues.
    fn hint<'a>(&self, queues: impl Iterator<Item = &'a str>) {
        for lane in queues.filter_map(|queue| self.lane(queue)) {
            lane.hint_all();
        }
        self.fetch.notify_one();
    }

    /// This job of the queue came alone.
    fn hint_lone(&self, queue: &str, id: Uuid) {
        if let Some(lane) = self.lane(queue) {
            lane.hint_lone(id);
            self.fetch.notify_one();
        }
    }

    /// There may be jobs in any queue.
    fn hint_all(&self) {
        self.hint(self.lanes.iter().map(|lane| lane.queue.as_str()));
    }
}
