//! Writes what became of jobs: many outcomes in one statement, each fenced by the claim that it belongs to.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Failure;

/// The longest delay, ten years: one that the database cannot add to a time would hold up everything settled with it.
const DELAY_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The right to settle one claim of one job. It is void once the job has been taken by somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Holding {
    pub(crate) id: Uuid,
    pub(crate) epoch: i32,
    /// The process that claimed it, and when. The epoch alone would not do: a claim is committed without waiting for the
    /// disk, so a crash of the server may undo it, and the next claim, by anybody, then has the same epoch.
    pub(crate) owner: Uuid,
    pub(crate) claimed_at: DateTime<Utc>,
}

/// Why a job is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeadReason {
    Exhausted,
    UnknownKind,
    Undecodable,
}

impl DeadReason {
    const fn as_str(self) -> &'static str {
        match self {
            DeadReason::Exhausted => "exhausted",
            DeadReason::UnknownKind => "unknown_kind",
            DeadReason::Undecodable => "undecodable",
        }
    }
}

/// What becomes of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// With the JSON that it returned.
    Succeeded(Option<String>),
    Discarded(Failure),
    Cancelled(Failure),
    Retried(Duration, Failure),
    Snoozed(Duration),
    /// Handed back without having run: it keeps its place in the queue.
    Returned,
    /// Laid aside without having run, because its kind is paused.
    Parked,
    Dead(DeadReason, Failure),
}

impl Verdict {
    /// The names of the outcomes, as a metric's label, in the order of [`Verdict::index`].
    pub(crate) const NAMES: [&'static str; 8] =
        ["succeeded", "discarded", "cancelled", "retried", "snoozed", "returned", "dead", "parked"];

    pub(crate) const fn index(&self) -> usize {
        match self {
            Verdict::Succeeded(_) => 0,
            Verdict::Discarded(_) => 1,
            Verdict::Cancelled(_) => 2,
            Verdict::Retried(..) => 3,
            Verdict::Snoozed(_) => 4,
            Verdict::Returned => 5,
            Verdict::Dead(..) => 6,
            Verdict::Parked => 7,
        }
    }

    /// The state that the job ends in; 0 for one that goes on, 3 for one that is laid aside, 7 for a dead one.
    const fn state(&self) -> i16 {
        match self {
            Verdict::Retried(..) | Verdict::Snoozed(_) | Verdict::Returned => 0,
            Verdict::Parked => 3,
            Verdict::Succeeded(_) => 4,
            Verdict::Discarded(_) => 5,
            Verdict::Cancelled(_) => 6,
            Verdict::Dead(..) => 7,
        }
    }

    /// How long the job waits; none for one that keeps its place.
    const fn delay(&self) -> Option<Duration> {
        match self {
            Verdict::Retried(delay, _) | Verdict::Snoozed(delay) => {
                Some(if delay.as_secs() < DELAY_MAX.as_secs() { *delay } else { DELAY_MAX })
            }
            _ => None,
        }
    }

    /// Whether the attempt does not count.
    const fn is_refunded(&self) -> bool {
        matches!(self, Verdict::Snoozed(_) | Verdict::Returned | Verdict::Parked)
    }

    pub(crate) const fn failure(&self) -> Option<&Failure> {
        match self {
            Verdict::Discarded(failure)
            | Verdict::Cancelled(failure)
            | Verdict::Retried(_, failure)
            | Verdict::Dead(_, failure) => Some(failure),
            Verdict::Succeeded(_) | Verdict::Snoozed(_) | Verdict::Returned | Verdict::Parked => None,
        }
    }

    /// The reason of a dead job, the result of a successful one.
    fn detail(&self) -> Option<&str> {
        match self {
            Verdict::Succeeded(result) => result.as_deref(),
            Verdict::Dead(reason, _) => Some(reason.as_str()),
            _ => None,
        }
    }
}

/// One outcome, to be written.
#[derive(Debug, Clone)]
pub(crate) struct Settlement {
    pub(crate) holding: Holding,
    pub(crate) verdict: Verdict,
}

/// Planner settings under which the statement below has one plan, whatever the statistics of the hot table say, which
/// are always stale: nested loops into the primary key. Made for the connection, or for the rest of a transaction.
pub(crate) const PLANNER: [(&str, &str); 7] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_sort", "off"),
    // The cost of what is switched off is so large that it would start the just-in-time compiler.
    ("jit", "off"),
];

/// What settling did.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Claims that were lost to somebody else; their jobs were left alone.
    pub(crate) lost: Vec<Holding>,
    /// Places of limits are free that were taken.
    pub(crate) has_freed: bool,
    /// Other jobs wait for one that has ended.
    pub(crate) has_dependants: bool,
}

/// Settles these claims, all of one shard, in one statement. Needs [`PLANNER`] in force.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    shard: i16,
    settlements: &mut [Settlement],
) -> sqlx::Result<Settled> {
    // Locks are taken in the order of the ids, here and everywhere, so that no two processes can wait for each other.
    settlements.sort_unstable_by_key(|settlement| settlement.holding.id);
    let (settled, mut answer) = write(conn, shard, settlements).await?;
    if settled.len() != settlements.len() {
        // By the claim, not by the job: of a job that was claimed twice, because a crash undid the first claim, one is ours.
        let settled: HashSet<(Uuid, DateTime<Utc>)> = settled.into_iter().collect();
        let holdings = settlements.iter().map(|settlement| settlement.holding);
        answer.lost = holdings.filter(|holding| !settled.contains(&(holding.id, holding.claimed_at))).collect();
    }
    Ok(answer)
}

async fn write(
    conn: &mut PgConnection,
    shard: i16,
    settlements: &[Settlement],
) -> sqlx::Result<(Vec<(Uuid, DateTime<Utc>)>, Settled)> {
    let each = || settlements.iter();
    let delay = |one: &Settlement| one.verdict.delay().map(|delay| delay.as_secs_f64());
    let failure = |one: &Settlement| one.verdict.failure().map(Failure::to_json);
    let settled = sqlx::query_file!(
        "src/settle.sql",
        shard,
        &each().map(|one| one.holding.id).collect::<Vec<_>>(),
        &each().map(|one| one.holding.epoch).collect::<Vec<_>>(),
        &each().map(|one| one.holding.owner).collect::<Vec<_>>(),
        &each().map(|one| one.verdict.state()).collect::<Vec<_>>(),
        &each().map(delay).collect::<Vec<_>>() as &[Option<f64>],
        &each().map(|one| one.verdict.is_refunded()).collect::<Vec<_>>(),
        &each().map(failure).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|one| one.verdict.detail()).collect::<Vec<_>>() as &[Option<&str>],
        &each().map(|one| one.holding.claimed_at).collect::<Vec<_>>(),
    );
    let row = settled.fetch_one(conn).await?;
    let settled = row.settled.into_iter().zip(row.claimed).collect();
    Ok((settled, Settled { lost: Vec::new(), has_freed: row.has_freed, has_dependants: row.has_dependants }))
}
