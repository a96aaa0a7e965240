//! Changes of jobs, one or many: found once, then locked and changed a thousand at a time.

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::Record;
use super::find::Found;
use super::{Answer, Control, ControlError, Select, apply, begin};
use crate::Priority;
use crate::inspect::JobState;

/// How many jobs are locked and changed in one transaction.
const BATCH: usize = 1_000;

/// The years that a job may be moved to.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// What to do to jobs; each is a call of [`Control`] by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// [`Control::cancel`].
    Cancel,
    /// [`Control::retry_now`].
    Retry,
    /// [`Control::reschedule`].
    Reschedule(DateTime<Utc>),
    /// [`Control::prioritise`].
    Prioritise(Priority),
    /// [`Control::delete`].
    Delete,
    /// [`Control::redrive`].
    Redrive,
}

/// What a call would find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Preview {
    /// How many jobs are selected, up to the cap.
    pub matched: u64,
    /// Whether there are more than the cap.
    pub has_more: bool,
}

/// What became of one batch.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) changed: u64,
    /// Of these, how many run and were asked to end.
    pub(super) asked: u64,
}

/// Jobs of one table, few enough for one transaction.
struct Batch<'a> {
    ids: &'a [Uuid],
    is_dead: bool,
    /// How many of the call's jobs come before them.
    place: usize,
}

impl Action {
    /// Its name in the audit.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Cancel => "cancel",
            Action::Retry => "retry",
            Action::Reschedule(_) => "reschedule",
            Action::Prioritise(_) => "prioritise",
            Action::Delete => "delete",
            Action::Redrive => "redrive",
        }
    }

    /// The states of the jobs that it can be done to.
    const fn states(&self) -> &'static [JobState] {
        use JobState::{Dead, Ready, Running, Scheduled, Waiting};
        match self {
            Action::Cancel => &[Scheduled, Ready, Running, Waiting],
            Action::Retry => &[Scheduled],
            Action::Reschedule(_) | Action::Prioritise(_) => &[Scheduled, Ready, Waiting],
            Action::Delete => &[Scheduled, Ready, Waiting, Dead],
            Action::Redrive => &[Dead],
        }
    }

    pub(super) fn priority(&self) -> Option<i16> {
        if let Action::Prioritise(priority) = self { Some(priority.rank()) } else { None }
    }

    pub(super) fn time(&self) -> Option<DateTime<Utc>> {
        if let Action::Reschedule(at) = self { Some(*at) } else { None }
    }

    /// What the audit keeps: the selection, and the values that were set.
    fn target(&self, select: &Select) -> Value {
        let mut target = select.to_json();
        match self {
            Action::Reschedule(at) => target["run_at"] = json!(at),
            Action::Prioritise(priority) => target["priority"] = json!(priority.rank()),
            _ => {}
        }
        target
    }
}

impl Control<'_> {
    /// Ends jobs. One that does not run is filed as cancelled, with who did it; one that runs is asked to end, which it
    /// sees within a heartbeat, or at once after [`wake`](super::wake).
    ///
    /// # Errors
    /// When the selection is refused, or the database fails.
    pub async fn cancel(&mut self, select: &Select) -> Result<Answer, ControlError> {
        self.bulk(Action::Cancel, select).await
    }

    /// Makes scheduled jobs, such as those that wait for their next attempt, due now. For dead ones see
    /// [`Control::redrive`].
    ///
    /// # Errors
    /// As [`Control::cancel`].
    pub async fn retry_now(&mut self, select: &Select) -> Result<Answer, ControlError> {
        self.bulk(Action::Retry, select).await
    }

    /// Moves jobs that do not run to this time, a microsecond apart in the order of their ids. One that waits for others
    /// or for its kind keeps waiting, and then for this time. One that holds the place of its sequence keeps it.
    ///
    /// # Errors
    /// As [`Control::cancel`], and [`ControlError::TimeOutOfRange`].
    pub async fn reschedule(&mut self, select: &Select, at: DateTime<Utc>) -> Result<Answer, ControlError> {
        self.bulk(Action::Reschedule(at), select).await
    }

    /// Gives jobs that do not run this priority.
    ///
    /// # Errors
    /// As [`Control::cancel`].
    pub async fn prioritise(&mut self, select: &Select, priority: Priority) -> Result<Answer, ControlError> {
        self.bulk(Action::Prioritise(priority), select).await
    }

    /// Takes away jobs that do not run, without a history; those that wait for them are told that they were cancelled.
    /// Of the dead letters, those that are named by id, or by a filter that names [`JobState::Dead`].
    ///
    /// # Errors
    /// As [`Control::cancel`].
    pub async fn delete(&mut self, select: &Select) -> Result<Answer, ControlError> {
        self.bulk(Action::Delete, select).await
    }

    /// Gives dead letters another life, under their ids, with all their attempts and without their expiry; their errors
    /// are kept. One whose id or unique key a live job has is left where it is.
    ///
    /// # Errors
    /// As [`Control::cancel`].
    pub async fn redrive(&mut self, select: &Select) -> Result<Answer, ControlError> {
        self.bulk(Action::Redrive, select).await
    }

    /// How many jobs the action would be tried on. Changes nothing and leaves no row in the audit.
    ///
    /// # Errors
    /// As the call of the action.
    pub async fn preview(&mut self, action: Action, select: &Select) -> Result<Preview, ControlError> {
        let states = self.check(&action, select)?;
        let found = self.find(&action, select, &states).await?;
        Ok(Preview { matched: found.matched() as u64, has_more: found.has_more })
    }

    /// Refuses what cannot be meant; returns the states to look in.
    fn check(&self, action: &Action, select: &Select) -> Result<Vec<JobState>, ControlError> {
        if action.time().is_some_and(|at| !YEARS.contains(&at.year())) {
            return Err(ControlError::TimeOutOfRange);
        }
        select.validate(self)?;
        select.states(action.name(), action.states())
    }

    /// Does the action to the selected jobs.
    ///
    /// # Errors
    /// As the call of the action.
    pub async fn bulk(&mut self, action: Action, select: &Select) -> Result<Answer, ControlError> {
        let states = self.check(&action, select)?;
        let found = self.find(&action, select, &states).await?;
        let record = Record::new(self, action.name(), action.target(select));
        let mut answer = Answer {
            audit: record.id,
            matched: found.matched() as u64,
            changed: 0,
            asked: 0,
            has_more: found.has_more,
        };
        for batch in found.batches() {
            let mut tx = begin(self.conn).await?;
            let done = batch.work(&mut tx, (self.shard, &self.actor), &action, &states).await?;
            record.add(&mut tx, done.changed).await?;
            tx.commit().await?;
            answer.changed += done.changed;
            answer.asked += done.asked;
        }
        Ok(answer)
    }
}

impl Found {
    /// Jobs by number; an id that was given is one, wherever it is looked for.
    fn matched(&self) -> usize {
        if self.is_by_id { self.live.len().max(self.dead.len()) } else { self.live.len() + self.dead.len() }
    }

    /// At least one, for the audit's sake.
    fn batches(&self) -> Vec<Batch<'_>> {
        let mut batches = Vec::new();
        for (ids, is_dead) in [(&self.live, false), (&self.dead, true)] {
            for (number, ids) in ids.chunks(BATCH).enumerate() {
                batches.push(Batch { ids, is_dead, place: number * BATCH });
            }
        }
        if batches.is_empty() {
            batches.push(Batch { ids: &[], is_dead: false, place: 0 });
        }
        batches
    }
}

impl Batch<'_> {
    /// Locks those of the jobs that are still in these states, and changes them.
    async fn work(
        &self,
        conn: &mut PgConnection,
        (shard, actor): (i16, &str),
        action: &Action,
        states: &[JobState],
    ) -> sqlx::Result<Done> {
        if self.is_dead {
            let ids = apply::lock_dead(conn, shard, self.ids).await?;
            return match action {
                Action::Redrive => apply::redrive(conn, shard, &ids).await,
                _ => apply::delete_dead(conn, shard, &ids).await,
            };
        }
        let states: Vec<i32> = states.iter().map(|state| state.number().into()).collect();
        let ids = apply::lock_live(conn, shard, self.ids, &states).await?;
        match action {
            Action::Cancel => apply::end(conn, shard, &ids, actor, true).await,
            Action::Delete => apply::end(conn, shard, &ids, actor, false).await,
            _ => apply::change(conn, shard, &ids, action, self.place).await,
        }
    }
}
