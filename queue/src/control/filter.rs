//! Which jobs an operator means.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::text::{ACTOR_BYTES_MAX, WORD_BYTES_MAX, check, check_name};
use super::{Control, ControlError};
use crate::Priority;
use crate::inspect::JobState;

/// The most ids that the audit keeps of a call.
const AUDIT_IDS_MAX: usize = 1_000;

/// The jobs to touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// These.
    Ids(Vec<Uuid>),
    /// All that pass the filter, up to the cap.
    Filter(Filter),
}

/// What jobs have to be like; each condition that is given has to hold.
///
/// A filter by queue that names [`JobState::Ready`] alone reads that queue's ready jobs. Any other reads the table of
/// live jobs (or of dead letters) once a call, without a lock: a second or two for a million.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// In this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In one of these states; none for any that the action applies to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<JobState>,
    /// With this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Caused by this actor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Enqueued by this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Uuid>,
    /// Under this limit, and, if one is given, this key of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<(String, Option<String>)>,
    /// Enqueued at or after this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<DateTime<Utc>>,
    /// Enqueued before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<DateTime<Utc>>,
    /// Said on purpose where there is no other condition: every job that the action applies to.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
}

impl Filter {
    /// Passes every job: what a filter without a condition refuses to do.
    pub fn everything() -> Filter {
        Filter { everything: true, ..Filter::default() }
    }

    /// Passes the jobs of this queue.
    pub fn queue(queue: impl Into<String>) -> Filter {
        Filter { queue: Some(queue.into()), ..Filter::default() }
    }

    /// Passes the jobs of this kind.
    pub fn kind(kind: impl Into<String>) -> Filter {
        Filter { kind: Some(kind.into()), ..Filter::default() }
    }

    fn validate(&self) -> Result<(), ControlError> {
        let is_empty = Filter { everything: false, ..self.clone() } == Filter::default();
        if is_empty && !self.everything {
            return Err(ControlError::EmptyFilter);
        }
        self.queue.iter().try_for_each(|queue| check_name("queue", queue))?;
        self.kind.iter().try_for_each(|kind| check_name("kind", kind))?;
        self.tag.iter().try_for_each(|tag| check("tag", tag, WORD_BYTES_MAX))?;
        self.actor.iter().try_for_each(|actor| check("actor", actor, ACTOR_BYTES_MAX))?;
        if let Some((name, key)) = &self.limit {
            check_name("limit", name)?;
            key.iter().try_for_each(|key| check("key", key, WORD_BYTES_MAX))?;
        }
        match (self.created_after, self.created_before) {
            (Some(after), Some(before)) if after >= before => Err(ControlError::TimesOutOfOrder),
            _ => Ok(()),
        }
    }
}

impl From<Uuid> for Select {
    fn from(id: Uuid) -> Select {
        Select::Ids(vec![id])
    }
}

impl From<Filter> for Select {
    fn from(filter: Filter) -> Select {
        Select::Filter(filter)
    }
}

impl Select {
    /// Refuses what cannot be meant.
    pub(super) fn validate(&self, control: &Control<'_>) -> Result<(), ControlError> {
        match self {
            Select::Ids(ids) if ids.len() > control.cap => {
                Err(ControlError::TooManyIds { ids: ids.len(), cap: control.cap })
            }
            Select::Ids(_) => Ok(()),
            Select::Filter(filter) => filter.validate(),
        }
    }

    /// The states to look in: those that the filter names, all of which the action has to apply to.
    pub(super) fn states(&self, action: &'static str, applicable: &[JobState]) -> Result<Vec<JobState>, ControlError> {
        let named = match self {
            Select::Filter(filter) => filter.states.as_slice(),
            Select::Ids(_) => &[],
        };
        if let Some(state) = named.iter().copied().find(|state| !applicable.contains(state)) {
            return Err(ControlError::StateNotApplicable { action, state });
        }
        Ok(if named.is_empty() { applicable.to_vec() } else { named.to_vec() })
    }

    /// As the audit keeps it.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Select::Ids(ids) => json!({ "ids": &ids[..ids.len().min(AUDIT_IDS_MAX)], "ids_given": ids.len() }),
            Select::Filter(filter) => json!({ "filter": filter }),
        }
    }
}

/// The state of this name.
///
/// # Errors
/// [`ControlError::UnknownState`].
pub fn parse_state(name: &str) -> Result<JobState, ControlError> {
    let mut states = (0..=7).map(JobState::from_number);
    let unknown = || ControlError::UnknownState(name.chars().take(64).collect());
    states.find(|state| state.as_str() == name).ok_or_else(unknown)
}

/// The priority of this rank.
///
/// # Errors
/// [`ControlError::PriorityOutOfRange`] unless it is 0 to 99.
pub fn parse_priority(rank: i64) -> Result<Priority, ControlError> {
    let priority = u8::try_from(rank).ok().and_then(Priority::new);
    priority.ok_or(ControlError::PriorityOutOfRange(rank))
}
