//! What is enqueued again and again: a schedule is a row, a tick of it makes a job, and only once whoever fires it.
//!
//! Any worker process fires what is due. It locks the schedule's row, asks the database for the time, and writes the
//! tick, its job and the next tick in one transaction: a kill at any point leaves all of it or nothing. Schedules are
//! declared in code ([`Registry::schedule`](crate::Registry::schedule)) and may be changed, paused and run at run time.
//! docs/QUEUE.md has the rules of clock changes, catch-up and overlap.
//!
//! ```
//! use queue::schedule::{CatchUp, Overlap, Schedule};
//! use queue::{Job, JobContext, JobError};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Report;
//!
//! impl Job for Report {
//!     const KIND: &'static str = "demo.report";
//!     const QUEUE: &'static str = "demo";
//!     async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> { Ok(()) }
//! }
//!
//! let daily = Schedule::of("daily-report", &Report, "30 2 * * *")?
//!     .time_zone("Europe/London")?
//!     .catch_up(CatchUp::Last)
//!     .overlap(Overlap::Skip);
//! # Ok::<(), queue::schedule::ScheduleError>(())
//! ```

mod cron;
mod declare;
mod fire;
mod layers;
mod local;
mod manage;
mod overlap;
mod plan;
mod row;
mod spec;
#[cfg(test)]
mod tests;
mod view;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{BatchJob, EnqueueError, Job, NewJob, Priority};
use spec::{Spec, parse_zone};

pub(crate) use declare::declare_all;
pub use declare::{Declared, declare};
pub(crate) use fire::{fire_due, forget_ticks};
pub use layers::{When, revert};
pub(crate) use manage::CHANGED;
pub use manage::{Change, change, create, pause, remove, resume, run_now};
pub use spec::SpecError;
pub use view::{ScheduleView, TickOutcome, TickView, get, get_locked, list, page, ticks};

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 200;
/// The most ticks that [`CatchUp::All`] may fire at once.
pub const CATCH_UP_MAX: u16 = 1_000;

/// What becomes of ticks that nobody fired in time, because no worker ran or the database was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// Only the newest due tick is fired, and only if it is less than a minute late.
    None,
    /// Only the newest due tick is fired, however late.
    Last,
    /// The newest so many (1 to [`CATCH_UP_MAX`]) of the due ticks are fired, the oldest of them first.
    All(u16),
}

impl CatchUp {
    /// How many ticks are fired at once at most.
    pub(crate) const fn max(self) -> u16 {
        match self {
            CatchUp::None | CatchUp::Last => 1,
            CatchUp::All(max) => max,
        }
    }
}

/// What a tick does while the schedule's last job is live: waits, runs, or is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It makes another job.
    Allow,
    /// It makes none.
    Skip,
    /// The last job is cancelled and a new one made. One that runs is asked to end, which it hears with the next heartbeat
    /// of its process; the new one does not wait for that.
    Replace,
}

/// Why a schedule is refused, or something about one cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// It has no name, or not a good one.
    #[error("`{0}` is no name for a schedule: it takes 1 to {NAME_BYTES_MAX} bytes without control characters")]
    Name(String),
    /// It never ticks, or says so in a way that is not understood.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It would catch up with no tick, or with too many.
    #[error("a schedule catches up with 1 to {CATCH_UP_MAX} ticks, not {0}")]
    CatchUp(u16),
    /// A payload that is not JSON, or the attempts of a job, are not possible.
    #[error("{0}")]
    Job(&'static str),
    /// There is one of this name.
    #[error("there is a schedule named `{0}` already")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no schedule named `{0}`")]
    NotFound(String),
    /// Its job cannot be enqueued.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// What to enqueue, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub(crate) name: String,
    pub(crate) job: NewJob,
    pub(crate) spec: Spec,
    pub(crate) zone: Tz,
    /// What the environment says instead of `spec` and `zone`.
    pub(crate) configured: Option<(Spec, Tz)>,
    pub(crate) catch_up: CatchUp,
    pub(crate) overlap: Overlap,
}

impl Schedule {
    /// This job, of a kind that runs one at a time, whenever `spec` says: cron of five fields or of six (seconds
    /// first), `@every 5m`, a word such as `@daily`, or `off`: never by itself. The times are UTC, the newest missed tick is caught up with, and
    /// overlapping jobs are allowed, unless the schedule is told otherwise.
    ///
    /// # Errors
    /// [`ScheduleError::Name`], [`ScheduleError::Spec`] and [`ScheduleError::Enqueue`] (a payload that is too large).
    pub fn of<J: Job>(name: &str, job: &J, spec: &str) -> Result<Schedule, ScheduleError> {
        Schedule::new(name, NewJob::of(job)?, spec)
    }

    /// The same for a kind that runs in batches.
    ///
    /// # Errors
    /// As [`Schedule::of`].
    pub fn batch<J: BatchJob>(name: &str, job: &J, spec: &str) -> Result<Schedule, ScheduleError> {
        Schedule::new(name, NewJob::batch(job)?, spec)
    }

    /// The same for a job that was made elsewhere; what it says of its own time and uniqueness does not count.
    ///
    /// # Errors
    /// As [`Schedule::of`], and [`ScheduleError::Job`] for a sealed payload, which a schedule cannot keep.
    pub fn of_job(name: &str, job: NewJob, spec: &str) -> Result<Schedule, ScheduleError> {
        if job.is_sealed() {
            return Err(ScheduleError::Job("a schedule cannot keep a job whose payload is stored sealed"));
        }
        Schedule::new(name, job, spec)
    }

    fn new(name: &str, job: NewJob, spec: &str) -> Result<Schedule, ScheduleError> {
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.contains(char::is_control) {
            return Err(ScheduleError::Name(name.chars().take(NAME_BYTES_MAX).collect()));
        }
        Ok(Schedule {
            name: name.to_owned(),
            job,
            spec: spec.parse()?,
            zone: Tz::UTC,
            configured: None,
            catch_up: CatchUp::Last,
            overlap: Overlap::Allow,
        })
    }

    /// With local times of this zone, by its IANA name. `@every` has no zone and does not heed it.
    ///
    /// # Errors
    /// [`SpecError::TimeZone`].
    pub fn time_zone(mut self, name: &str) -> Result<Schedule, ScheduleError> {
        self.zone = parse_zone(name)?;
        Ok(self)
    }

    /// With these times instead of those of code, as configuration has them: a spec as in [`Schedule::of`], which may
    /// begin with its zone, as in `TZ=Europe/London 30 2 * * *`. An operator's change still counts for more.
    ///
    /// # Errors
    /// [`ScheduleError::Spec`].
    pub fn configured(mut self, text: &str) -> Result<Schedule, ScheduleError> {
        let text = text.trim();
        let (zone, spec) = match text.strip_prefix("TZ=") {
            Some(rest) => rest.split_once(char::is_whitespace).map_or((rest, ""), |(zone, spec)| (zone, spec)),
            None => (self.zone.name(), text),
        };
        self.configured = Some((spec.parse()?, parse_zone(zone)?));
        Ok(self)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it ticks, if no operator has said otherwise.
    fn when(&self) -> (&Spec, Tz) {
        self.configured.as_ref().map_or((&self.spec, self.zone), |(spec, zone)| (spec, *zone))
    }

    /// With this for missed ticks.
    #[must_use]
    pub fn catch_up(mut self, catch_up: CatchUp) -> Schedule {
        self.catch_up = catch_up;
        self
    }

    /// With this for a tick that comes while the last job is live.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Schedule {
        self.overlap = overlap;
        self
    }

    /// With jobs of this priority instead of their kind's.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Schedule {
        self.job = self.job.priority(priority);
        self
    }

    /// With jobs in this shard instead of 0.
    #[must_use]
    pub fn shard(mut self, shard: i16) -> Schedule {
        self.job = self.job.shard(shard);
        self
    }

    /// The first tick after this time; none when there is none before the year 2101.
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (spec, zone) = self.when();
        spec.next_after(zone, after)
    }

    /// What can be wrong about one whose parts are each right.
    fn check(&self) -> Result<(), ScheduleError> {
        match self.catch_up {
            CatchUp::All(max) if !(1..=CATCH_UP_MAX).contains(&max) => Err(ScheduleError::CatchUp(max)),
            _ => Ok(()),
        }
    }
}
