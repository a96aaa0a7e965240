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
    /// Where the claim put the job's row, if that is known: PostgreSQL's `ctid`. A hint, which saves looking for it.
    pub(crate) ctid: Option<String>,
    pub(crate) verdict: Verdict,
}

impl Settlement {
    /// The result of a success whose row may still be where the claim put it, and where that is.
    fn success(&self) -> Option<(&str, Option<&str>)> {
        match (&self.ctid, &self.verdict) {
            (Some(ctid), Verdict::Succeeded(result)) => Some((ctid, result.as_deref())),
            _ => None,
        }
    }
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

/// Whether places of limits are free that were taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freed {
    /// Of whole queues: any of their jobs may begin.
    pub(crate) of_queues: bool,
    /// Of keys: those that wait for one may begin.
    pub(crate) of_keys: bool,
}

impl std::ops::BitOrAssign for Freed {
    fn bitor_assign(&mut self, other: Freed) {
        self.of_queues |= other.of_queues;
        self.of_keys |= other.of_keys;
    }
}

/// What settling did.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// Claims that were lost to somebody else; their jobs were left alone.
    pub(crate) lost: Vec<Holding>,
    pub(crate) freed: Freed,
    /// Other jobs wait for one that has ended.
    pub(crate) has_dependants: bool,
}

/// For how long the rows that are settled stay locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Locked {
    /// For a statement: the connection is in no transaction.
    Briefly,
    /// To the end of the transaction that the connection is in.
    ToTheEnd,
}

/// Successes that are worth a commit of their own beside other outcomes.
const SUCCESSES_MIN: usize = 100;

/// Settles these claims, all of one shard. Needs [`PLANNER`] in force.
///
/// Successes, which is what most jobs end in, have a statement of their own, which takes two thirds of the server's time
/// that any outcome takes: it looks where the claim left the row. What has been moved since is looked for by its id, with
/// whatever else there is.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    shard: i16,
    settlements: &[Settlement],
    locked: Locked,
) -> sqlx::Result<Settled> {
    // Locks are taken in the order of the ids, here and everywhere, so that no two processes can wait for each other.
    // Two statements would not keep to it within a transaction, save for a single job.
    let is_apart = locked == Locked::Briefly || settlements.len() == 1;
    let (mut successes, mut others): (Vec<_>, Vec<_>) =
        settlements.iter().partition(|one| is_apart && one.success().is_some());
    if !others.is_empty() && successes.len() < SUCCESSES_MIN {
        others.append(&mut successes);
    }
    let mut settled = Settled::default();
    if !successes.is_empty() {
        successes.sort_unstable_by_key(|one| one.holding.id);
        others.extend(write_successes(conn, shard, &successes, &mut settled).await?);
    }
    if !others.is_empty() {
        others.sort_unstable_by_key(|one| one.holding.id);
        let lost = write_any(conn, shard, &others, &mut settled).await?;
        settled.lost = lost.into_iter().map(|one| one.holding).collect();
    }
    Ok(settled)
}

/// Returns those that are not where the claim put them.
async fn write_successes<'a>(
    conn: &mut PgConnection,
    shard: i16,
    successes: &[&'a Settlement],
    settled: &mut Settled,
) -> sqlx::Result<Vec<&'a Settlement>> {
    let each = || successes.iter().map(|one| &one.holding);
    let (ctids, results): (Vec<&str>, Vec<Option<&str>>) = successes.iter().filter_map(|one| one.success()).unzip();
    let written = sqlx::query_file!(
        "src/settle/succeeded.sql",
        shard,
        &each().map(|holding| holding.id).collect::<Vec<_>>(),
        &each().map(|holding| holding.epoch).collect::<Vec<_>>(),
        &each().map(|holding| holding.owner).collect::<Vec<_>>(),
        &each().map(|holding| holding.claimed_at).collect::<Vec<_>>(),
        &ctids as &[&str],
        &results as &[Option<&str>],
    );
    let row = written.fetch_one(conn).await?;
    settled.freed |= Freed { of_queues: row.has_freed_queues, of_keys: row.has_freed_keys };
    settled.has_dependants |= row.has_dependants;
    // Not answered when it would be all of them.
    Ok(row.settled.map_or_else(Vec::new, |ids| left(successes, ids, row.claimed)))
}

/// Returns those that were lost to somebody else.
async fn write_any<'a>(
    conn: &mut PgConnection,
    shard: i16,
    settlements: &[&'a Settlement],
    settled: &mut Settled,
) -> sqlx::Result<Vec<&'a Settlement>> {
    let each = || settlements.iter();
    let delay = |one: &Settlement| one.verdict.delay().map(|delay| delay.as_secs_f64());
    let failure = |one: &Settlement| one.verdict.failure().map(Failure::to_json);
    let written = sqlx::query_file!(
        "src/settle/any.sql",
        shard,
        &each().map(|one| one.holding.id).collect::<Vec<_>>(),
        &each().map(|one| one.holding.epoch).collect::<Vec<_>>(),
        &each().map(|one| one.holding.owner).collect::<Vec<_>>(),
        &each().map(|one| one.verdict.state()).collect::<Vec<_>>(),
        &each().map(|one| delay(one)).collect::<Vec<_>>() as &[Option<f64>],
        &each().map(|one| one.verdict.is_refunded()).collect::<Vec<_>>(),
        &each().map(|one| failure(one)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|one| one.verdict.detail()).collect::<Vec<_>>() as &[Option<&str>],
        &each().map(|one| one.holding.claimed_at).collect::<Vec<_>>(),
    );
    let row = written.fetch_one(conn).await?;
    // A job of a sequence that was given back is ready again, and still has its place: whoever looks finds it.
    settled.freed |= Freed { of_queues: row.has_freed, of_keys: row.has_freed };
    settled.has_dependants |= row.has_dependants;
    if row.settled.len() == settlements.len() {
        Ok(Vec::new())
    } else {
        Ok(left(settlements, row.settled, row.claimed))
    }
}

/// Those that were not settled. By the claim, not by the job: of a job that was claimed twice, because a crash undid the
/// first claim, one is ours.
fn left<'a>(settlements: &[&'a Settlement], ids: Vec<Uuid>, claimed: Vec<DateTime<Utc>>) -> Vec<&'a Settlement> {
    let settled: HashSet<(Uuid, DateTime<Utc>)> = ids.into_iter().zip(claimed).collect();
    let is_left = |one: &&&Settlement| !settled.contains(&(one.holding.id, one.holding.claimed_at));
    settlements.iter().filter(is_left).copied().collect()
}
