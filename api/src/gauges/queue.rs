//! How the queue is: depths from its counters, ages by its indexes, pauses, limits.

use std::collections::BTreeMap;

use queue::counters::{self, QueueCounts};
use queue::inspect;
use queue::metrics::{self as define, Metric, OTHER};
use sqlx::PgConnection;

use super::set;

const JOBS: Metric =
    define::gauge("queue_jobs", &["queue", "state"], "Live jobs: scheduled, ready, running or waiting.");
const ENDED: Metric = define::counter(
    "queue_jobs_ended_total",
    &["queue", "outcome"],
    "Jobs that ever ended: succeeded, discarded, cancelled or dead.",
);
const OLDEST_READY: Metric = define::gauge_seconds(
    "queue_oldest_ready_seconds",
    &["queue"],
    "For how long the ready job that waits longest has been due; 0 when none is ready.",
);
const DEAD_LETTERS: Metric =
    define::gauge("queue_dead_letters", &[], "Dead letters that wait for a decision; counted to 1000.");
const PAUSED: Metric = define::gauge("queue_paused", &["queue"], "Whether an operator has paused the queue.");
const KINDS_PAUSED: Metric = define::gauge("queue_kinds_paused", &[], "How many kinds are paused.");
const PROCESSES: Metric =
    define::gauge("queue_worker_processes", &[], "Worker processes with a lease, of all roles together.");
const SATURATION: Metric = define::gauge(
    "queue_limit_saturation",
    &["limit"],
    "What the fullest of up to 200 keys takes of the limit: running jobs or spent tokens, 0 to 1.",
);

pub(super) const METRICS: [Metric; 8] =
    [JOBS, ENDED, OLDEST_READY, DEAD_LETTERS, PAUSED, KINDS_PAUSED, PROCESSES, SATURATION];

const STATES: [&str; 4] = ["scheduled", "ready", "running", "waiting"];
const OUTCOMES: [&str; 4] = ["succeeded", "discarded", "cancelled", "dead"];

/// In so many queues that no release names the oldest job is looked for.
const OTHERS_MAX: usize = 20;

/// Every value of the label `queue`.
fn queues() -> Vec<&'static str> {
    jobs::QUEUES.into_iter().chain([OTHER]).collect()
}

pub(super) fn register() {
    JOBS.register(&[&queues(), &STATES]);
    ENDED.register(&[&queues(), &OUTCOMES]);
    OLDEST_READY.register(&[&queues()]);
    PAUSED.register(&[&queues()]);
    SATURATION.register(&[&[OTHER]]);
    for metric in [DEAD_LETTERS, KINDS_PAUSED, PROCESSES] {
        metric.register(&[]);
    }
}

/// What is told of a queue; those that no release names are told together.
#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    states: [i64; 4],
    outcomes: [i64; 4],
    oldest_ready_s: f64,
    is_paused: bool,
}

impl Seen {
    fn add(&mut self, counts: &QueueCounts) {
        let states = [counts.scheduled, counts.ready, counts.running, counts.waiting];
        let outcomes = [counts.succeeded, counts.discarded, counts.cancelled, counts.dead];
        self.states.iter_mut().zip(states).for_each(|(sum, one)| *sum += one);
        self.outcomes.iter_mut().zip(outcomes).for_each(|(sum, one)| *sum += one);
    }

    fn tell(&self, queue: &str) {
        let labels = |name: &'static str, value: &'static str| [("queue", queue.to_owned()), (name, value.to_owned())];
        for (state, number) in STATES.iter().zip(self.states) {
            metrics::gauge!(JOBS.name, &labels("state", state)).set(number as f64);
        }
        for (outcome, number) in OUTCOMES.iter().zip(self.outcomes) {
            metrics::counter!(ENDED.name, &labels("outcome", outcome)).absolute(number.unsigned_abs());
        }
        set(&OLDEST_READY, Some(queue), self.oldest_ready_s);
        set(&PAUSED, Some(queue), f64::from(u8::from(self.is_paused)));
    }
}

/// The queues as labels, each with what is told of it.
struct Labelled(BTreeMap<&'static str, Seen>);

impl Labelled {
    fn of(&mut self, queue: &str) -> &mut Seen {
        let label = jobs::QUEUES.into_iter().find(|known| *known == queue).unwrap_or(OTHER);
        self.0.entry(label).or_default()
    }
}

pub(super) async fn read(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    let mut seen = Labelled(queues().into_iter().map(|queue| (queue, Seen::default())).collect());
    let counts = counters::counts(conn, shard).await?;
    counts.iter().for_each(|counts| seen.of(&counts.queue).add(counts));
    let waiting = counts.iter().filter(|counts| counts.ready > 0).map(|counts| counts.queue.as_str());
    let others = waiting.filter(|queue| !jobs::QUEUES.contains(queue)).take(OTHERS_MAX);
    let looked_at: Vec<String> = jobs::QUEUES.into_iter().chain(others).map(str::to_owned).collect();
    for (queue, age_s) in inspect::oldest_ready(conn, shard, &looked_at).await? {
        let seen = seen.of(&queue);
        seen.oldest_ready_s = seen.oldest_ready_s.max(age_s);
    }
    let paused =
        sqlx::query_scalar!("select queue from queue.queue_control where shard = $1 and paused_at is not null", shard,);
    let paused = paused.fetch_all(&mut *conn).await?;
    paused.iter().for_each(|queue| seen.of(queue).is_paused = true);
    seen.0.iter().for_each(|(queue, seen)| seen.tell(queue));
    few(conn, shard).await?;
    limits(conn, shard).await
}

/// What there are few of.
async fn few(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    let few = sqlx::query!(
        r#"
        select (select count(*) from (select from queue.dead_job where shard = $1 limit 1000) as dead) as "dead!",
               (select count(*) from queue.kind_pause where shard = $1) as "paused!",
               (select count(*) from queue.process
                 where shard = $1 and lost_at is null and expires_at > clock_timestamp()) as "processes!"
        "#,
        shard,
    );
    let few = few.fetch_one(&mut *conn).await?;
    set(&DEAD_LETTERS, None, few.dead as f64);
    set(&KINDS_PAUSED, None, few.paused as f64);
    set(&PROCESSES, None, few.processes as f64);
    Ok(())
}

/// How full the limits are; a limit of an operator's making has no label of its own.
async fn limits(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    let limits = sqlx::query!(
        r#"
        select case when rule.changed_by is null then rule.name else 'other' end as "name!",
               max(greatest(
                   coalesce((state.running - state.free)::float8 / rule.running_max, 0),
                   coalesce(1 - state.tokens / rule.burst, 0)
               )) as "taken"
          from queue.limit_rule as rule
         cross join lateral (
               select key.running,
                      (select coalesce(sum(free.jobs), 0) from queue.limit_free as free
                        where free.shard = $1 and free.name = rule.name and free.key = key.key) as free,
                      -- What has flowed back since.
                      key.tokens + rule.rate_per_s * extract(epoch from clock_timestamp() - key.refilled_at)::float8 as tokens
                 from queue.limit_key as key
                where key.shard = $1 and key.name = rule.name
                limit 200
               ) as state
         where rule.name <> 'sequence'
         group by 1
        "#,
        shard,
    );
    let limits = limits.fetch_all(conn).await?;
    set(&SATURATION, Some(OTHER), 0.0);
    for limit in limits {
        set(&SATURATION, Some(&limit.name), limit.taken.unwrap_or(0.0).clamp(0.0, 1.0));
    }
    Ok(())
}
