//! All that is known after a run: what the participants wrote, and what the database holds.

use std::collections::HashMap;
use std::path::Path;

use sqlx::PgPool;
use uuid::Uuid;

use super::event::{Claim, Event, How, What, read_all};
use super::jobs::Told;

/// What the queue says of a job in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum State {
    Live,
    Succeeded,
    Discarded,
    Cancelled,
    Dead,
}

/// A row of the queue: live, of the history, or dead.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JobRow {
    pub(super) id: Uuid,
    pub(super) state: State,
    pub(super) epoch: i32,
    pub(super) process: Option<Uuid>,
    /// Of one that has ended.
    pub(super) ended_us: i64,
    pub(super) told: Told,
}

/// What a job wrote in its own transaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Effect {
    pub(super) job: Uuid,
    pub(super) claim: Claim,
}

/// A claim that was committed, from its making to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) job: Uuid,
    pub(super) claim: Claim,
    pub(super) ended: Option<SpanEnd>,
}

/// How a claim ended: settled, handed back, or taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SpanEnd {
    pub(super) at_us: i64,
    pub(super) xid: i64,
}

/// Progress that was reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Report {
    pub(super) job: Uuid,
    /// The claim in force.
    pub(super) holder: (i32, Uuid),
    /// The claim that the reporter says it has.
    pub(super) reporter: (i32, Uuid),
}

/// The lease of a process, from its registration to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lease {
    pub(super) process: Uuid,
    pub(super) lost: Option<Lost>,
    /// When the row was deleted, and by which transaction.
    pub(super) gone: Option<SpanEnd>,
}

/// Somebody declared a lease lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lost {
    pub(super) at_us: i64,
    pub(super) expired_us: i64,
}

/// Everything, as it was found.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// In the order of time.
    pub(super) events: Vec<Event>,
    pub(super) rows: Vec<JobRow>,
    pub(super) effects: Vec<Effect>,
    pub(super) spans: Vec<Span>,
    pub(super) reports: Vec<Report>,
    pub(super) leases: Vec<Lease>,
}

/// One run of a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Run {
    pub(super) job: Uuid,
    pub(super) claim: Claim,
    pub(super) begun_us: i64,
    /// Its end, or that of its process; for ever, if neither was seen.
    pub(super) until_us: i64,
    /// None when it ended with its process.
    pub(super) how: Option<How>,
}

/// The facts, found by job, claim and lease.
pub(super) struct History<'a> {
    pub(super) facts: &'a Facts,
    pub(super) rows: HashMap<Uuid, Vec<&'a JobRow>>,
    /// In the order in which they began.
    pub(super) runs: HashMap<Uuid, Vec<Run>>,
    pub(super) spans: HashMap<(Uuid, Claim), &'a Span>,
    pub(super) leases: HashMap<Uuid, &'a Lease>,
    /// Crashes of the server.
    pub(super) crashes_us: Vec<i64>,
}

impl<'a> History<'a> {
    pub(super) fn of(facts: &'a Facts) -> History<'a> {
        let mut rows: HashMap<Uuid, Vec<&JobRow>> = HashMap::new();
        facts.rows.iter().for_each(|row| rows.entry(row.id).or_default().push(row));
        let crashes_us = facts.events.iter().filter(|event| event.what == What::Crash).map(|event| event.at_us);
        History {
            facts,
            rows,
            runs: runs(&facts.events),
            spans: facts.spans.iter().map(|span| ((span.job, span.claim), span)).collect(),
            leases: facts.leases.iter().map(|lease| (lease.process, lease)).collect(),
            crashes_us: crashes_us.collect(),
        }
    }

    /// Whether the lease was over by then: declared lost, or gone. A process that gives up its lease hands back its jobs
    /// in the same transaction.
    pub(super) fn is_over(&self, process: Uuid, end: SpanEnd) -> bool {
        let Some(lease) = self.leases.get(&process) else { return false };
        let is_lost = lease.lost.is_some_and(|lost| lost.at_us <= end.at_us);
        is_lost || lease.gone.is_some_and(|gone| gone.at_us <= end.at_us || gone.xid == end.xid)
    }

    /// Whether the claim was never committed, because the server crashed before it was on the disk: the queue lets
    /// claims take that risk. Without a crash near the run, it is none of these, but a claim that never was.
    pub(super) fn is_undone(&self, run: &Run) -> bool {
        const NEAR_US: i64 = 10_000_000;
        !self.spans.contains_key(&(run.job, run.claim))
            && self.crashes_us.iter().any(|at_us| (at_us - run.claim.at_us).abs() < NEAR_US)
    }
}

/// The runs that the events show, by job.
fn runs(events: &[Event]) -> HashMap<Uuid, Vec<Run>> {
    let mut runs: HashMap<Uuid, Vec<Run>> = HashMap::new();
    let mut open: HashMap<i32, Vec<(Uuid, usize)>> = HashMap::new();
    for event in events {
        match &event.what {
            What::Begun { job, claim, .. } => {
                let of_job = runs.entry(*job).or_default();
                open.entry(event.pid).or_default().push((*job, of_job.len()));
                let (begun_us, until_us) = (event.at_us, i64::MAX);
                of_job.push(Run { job: *job, claim: *claim, begun_us, until_us, how: None });
            }
            What::Ended { job, claim, how } => {
                let open = open.entry(event.pid).or_default();
                let place = open.iter().position(|(of, index)| of == job && runs[of][*index].claim == *claim);
                let (_, index) = open.swap_remove(place.expect("what ends has begun"));
                let run = &mut runs.get_mut(job).expect("it has begun")[index];
                (run.until_us, run.how) = (event.at_us, Some(*how));
            }
            What::Gone { pid } => {
                for (job, index) in open.remove(pid).unwrap_or_default() {
                    runs.get_mut(&job).expect("it has begun")[index].until_us = event.at_us;
                }
            }
            _ => {}
        }
    }
    runs
}

impl Facts {
    /// Reads all of it; the participants have ended.
    pub(super) async fn gather(diaries: &Path, pool: &PgPool) -> Facts {
        Facts {
            events: read_all(diaries),
            rows: rows(pool).await,
            effects: effects(pool).await,
            spans: spans(pool).await,
            reports: reports(pool).await,
            leases: leases(pool).await,
        }
    }
}

/// A time of the database in µs since 1970, exactly.
macro_rules! us {
    ($column:literal) => {
        concat!("(extract(epoch from ", $column, ") * 1000000)::bigint")
    };
}

async fn rows(pool: &PgPool) -> Vec<JobRow> {
    let all = concat!(
        "select id, 0::smallint, epoch, owner, 0::bigint, payload::text from queue.job
          union all
         select id, state, epoch, process, ",
        us!("finished_at"),
        ", payload::text from queue.job_history
          union all
         select id, 7::smallint, epoch, process, ",
        us!("died_at"),
        ", payload::text from queue.dead_job"
    );
    let all: Vec<(Uuid, i16, i32, Option<Uuid>, i64, String)> = sqlx::query_as(all).fetch_all(pool).await.unwrap();
    let row = |(id, state, epoch, process, ended_us, payload): (_, i16, _, _, _, String)| JobRow {
        id,
        state: match state {
            4 => State::Succeeded,
            5 => State::Discarded,
            6 => State::Cancelled,
            7 => State::Dead,
            _ => State::Live,
        },
        epoch,
        process,
        ended_us,
        told: serde_json::from_str(&payload).unwrap(),
    };
    all.into_iter().map(row).collect()
}

async fn effects(pool: &PgPool) -> Vec<Effect> {
    let all = "select job, epoch, owner, claimed_us from history.effect";
    let all: Vec<(Uuid, i32, Uuid, i64)> = sqlx::query_as(all).fetch_all(pool).await.unwrap();
    let effect = |(job, epoch, owner, at_us)| Effect { job, claim: Claim { epoch, owner, at_us } };
    all.into_iter().map(effect).collect()
}

async fn spans(pool: &PgPool) -> Vec<Span> {
    let all = concat!(
        "select what, job, epoch, owner, ",
        us!("claimed_at"),
        ", ",
        us!("at"),
        ", xid from history.change where what <> 'reported' order by seq"
    );
    let all: Vec<(String, Uuid, i32, Uuid, i64, i64, i64)> = sqlx::query_as(all).fetch_all(pool).await.unwrap();
    let mut spans: HashMap<(Uuid, Claim), Span> = HashMap::new();
    for (what, job, epoch, owner, claimed_us, at_us, xid) in all {
        let claim = Claim { epoch, owner, at_us: claimed_us };
        let span = spans.entry((job, claim)).or_insert(Span { job, claim, ended: None });
        if what == "ended" {
            span.ended = Some(SpanEnd { at_us, xid });
        }
    }
    spans.into_values().collect()
}

async fn reports(pool: &PgPool) -> Vec<Report> {
    let all = "select job, epoch, owner, reporter_epoch, reporter_owner from history.change where what = 'reported'";
    let all: Vec<(Uuid, i32, Uuid, i32, Uuid)> = sqlx::query_as(all).fetch_all(pool).await.unwrap();
    let report = |(job, epoch, owner, reporter_epoch, reporter_owner)| Report {
        job,
        holder: (epoch, owner),
        reporter: (reporter_epoch, reporter_owner),
    };
    all.into_iter().map(report).collect()
}

async fn leases(pool: &PgPool) -> Vec<Lease> {
    let all =
        concat!("select what, process, ", us!("at"), ", ", us!("expires_at"), ", xid from history.lease order by seq");
    let all: Vec<(String, Uuid, i64, i64, i64)> = sqlx::query_as(all).fetch_all(pool).await.unwrap();
    let mut leases: HashMap<Uuid, Lease> = HashMap::new();
    for (what, process, at_us, expired_us, xid) in all {
        let lease = leases.entry(process).or_insert(Lease { process, lost: None, gone: None });
        match what.as_str() {
            "lost" => lease.lost = Some(Lost { at_us, expired_us }),
            "gone" => lease.gone = Some(SpanEnd { at_us, xid }),
            _ => {}
        }
    }
    leases.into_values().collect()
}
