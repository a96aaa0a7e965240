//! Schedules. What a schedule is and what it does are two resources, so that the first changes only when somebody changes it.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use queue::schedule::{self, TickOutcome};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::body::choice::choice;

choice! {
    /// What becomes of ticks that nobody fired in time.
    pub(crate) enum CatchUpName {
        /// Only the newest is fired, and only if it is less than a minute late.
        None = "none",
        /// Only the newest is fired, however late.
        Last = "last",
        /// The newest `catch_up_max` are fired, the oldest of them first.
        All = "all",
    }
}

choice! {
    /// What a tick does while the last job is live.
    pub(crate) enum OverlapName {
        /// It makes another job.
        Allow = "allow",
        /// It makes none.
        Skip = "skip",
        /// It cancels the last job and makes a new one.
        Replace = "replace",
    }
}

/// What is enqueued again and again, and when.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Schedule")]
pub(crate) struct ScheduleView {
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub kind: String,
    /// The queue of its jobs.
    pub queue: String,
    /// The payload of its jobs.
    pub payload: Value,
    /// Cron of five fields or six (seconds first), `@every 5m`, a word such as `@daily`, or `off`: never by itself.
    pub spec: String,
    /// The IANA name of the zone that the fields of cron are local times of.
    pub time_zone: String,
    /// `none`, `last` or `all`.
    pub catch_up: String,
    /// How many ticks that are due at once are fired.
    pub catch_up_max: i32,
    /// `allow`, `skip` or `replace`.
    pub overlap: String,
    /// The priority of its jobs, 0 to 99; the smaller runs first.
    pub priority: i32,
    /// How many attempts its jobs have.
    pub max_attempts: i32,
    /// Whether it does not tick.
    pub is_paused: bool,
    /// Whether it comes from code.
    pub is_declared: bool,
    /// Whether it was changed since, so that code does not decide any more.
    pub is_overridden: bool,
    /// Who decides when it ticks: `code`, `environment` or `operator`.
    pub source: String,
    /// When it ticks by what code says; null if it does not come from there.
    pub declared: Option<WhenView>,
    /// When it ticks by the environment of the workers; null if that says nothing.
    pub configured: Option<WhenView>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, paused or resumed.
    pub updated_at: DateTime<Utc>,
}

impl From<&schedule::ScheduleView> for ScheduleView {
    fn from(schedule: &schedule::ScheduleView) -> ScheduleView {
        ScheduleView {
            name: schedule.name.clone(),
            kind: schedule.kind.clone(),
            queue: schedule.queue.clone(),
            payload: schedule.payload.clone(),
            spec: schedule.spec.clone(),
            time_zone: schedule.time_zone.clone(),
            catch_up: schedule.catch_up.to_owned(),
            catch_up_max: schedule.catch_up_max.into(),
            overlap: schedule.overlap.to_owned(),
            priority: schedule.priority.into(),
            max_attempts: schedule.max_attempts.into(),
            is_paused: schedule.is_paused,
            is_declared: schedule.is_declared,
            is_overridden: schedule.is_overridden,
            source: schedule.source.to_owned(),
            declared: schedule.declared.as_ref().map(WhenView::from),
            configured: schedule.configured.as_ref().map(WhenView::from),
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
        }
    }
}

/// When a schedule ticks.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ScheduleWhen")]
pub(crate) struct WhenView {
    /// Cron of five fields or six, `@every 5m`, a word such as `@daily`, or `off`.
    pub spec: String,
    /// The IANA name of the zone that the fields of cron are local times of.
    pub time_zone: String,
}

impl From<&schedule::When> for WhenView {
    fn from(when: &schedule::When) -> WhenView {
        WhenView { spec: when.spec.clone(), time_zone: when.time_zone.clone() }
    }
}

/// A schedule in a list.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ScheduleSummary")]
pub(crate) struct ScheduleSummaryView {
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub kind: String,
    /// When it ticks.
    pub spec: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// Whether it does not tick.
    pub is_paused: bool,
    /// The next tick, or the one that it would have if it were not paused; null when there is none any more.
    pub next_at: Option<DateTime<Utc>>,
    /// The last tick that made a job.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Its last job.
    pub last_job_id: Option<Uuid>,
    /// Why firing it failed last.
    pub error: Option<String>,
}

impl From<schedule::ScheduleView> for ScheduleSummaryView {
    fn from(schedule: schedule::ScheduleView) -> ScheduleSummaryView {
        ScheduleSummaryView {
            name: schedule.name,
            kind: schedule.kind,
            spec: schedule.spec,
            time_zone: schedule.time_zone,
            is_paused: schedule.is_paused,
            next_at: schedule.next.first().copied(),
            last_tick_at: schedule.last_tick_at,
            last_job_id: schedule.last_job_id,
            error: schedule.error,
        }
    }
}

/// A tick that is over, or a run of missed ones.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Tick")]
pub(crate) struct TickView {
    /// When it was due; of missed ticks, the oldest.
    pub tick_at: DateTime<Utc>,
    /// `fired`, `skipped` (its overlap policy) or `missed` (its catch-up policy).
    pub outcome: String,
    /// The newest of missed ticks.
    pub through_at: Option<DateTime<Utc>>,
    /// The job that it made.
    pub job_id: Option<Uuid>,
    /// When that was decided.
    pub fired_at: DateTime<Utc>,
}

/// What a schedule does: its next ticks, and the last ones.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ScheduleTicks")]
pub(crate) struct TicksView {
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// Whether it does not tick.
    pub is_paused: bool,
    /// The next ten ticks, or those that it would have if it were not paused; fewer when there are no more.
    pub next: Vec<DateTime<Utc>>,
    /// The same as local times, with the offset that holds then.
    pub next_local: Vec<String>,
    /// The last tick that made a job.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Its last job, also one that was run by hand.
    pub last_job_id: Option<Uuid>,
    /// Why firing it failed last.
    pub error: Option<String>,
    /// The last ticks, the newest first, at most 50.
    pub past: Vec<TickView>,
}

impl TicksView {
    /// Of the schedule and its last ticks.
    pub(crate) fn of(schedule: schedule::ScheduleView, past: &[schedule::TickView]) -> TicksView {
        let tick = |tick: &schedule::TickView| TickView {
            tick_at: tick.tick_at,
            outcome: outcome(tick.outcome).to_owned(),
            through_at: tick.through_at,
            job_id: tick.job_id,
            fired_at: tick.fired_at,
        };
        TicksView {
            next_local: schedule.next_local(),
            time_zone: schedule.time_zone,
            is_paused: schedule.is_paused,
            next: schedule.next,
            last_tick_at: schedule.last_tick_at,
            last_job_id: schedule.last_job_id,
            error: schedule.error,
            past: past.iter().map(tick).collect(),
        }
    }
}

fn outcome(outcome: TickOutcome) -> &'static str {
    match outcome {
        TickOutcome::Fired => "fired",
        TickOutcome::Skipped => "skipped",
        TickOutcome::Missed => "missed",
    }
}
