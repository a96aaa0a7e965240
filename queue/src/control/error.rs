//! Why an operator was refused; nothing has been changed then, unless the database failed midway.

use crate::inspect::JobState;

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextFault {
    /// It says nothing.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("has {bytes} bytes, more than {bytes_max}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// It has a character that cannot stand there.
    #[error("has the character {0:?}, which cannot stand there")]
    Character(char),
}

/// A refusal, by name.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// A name or a word is not one.
    #[error("{field} {fault}")]
    Text {
        /// Which of what was given: `actor`, `queue`, `kind`, `limit`, `key` or `tag`.
        field: &'static str,
        /// What is wrong with it.
        fault: TextFault,
    },
    /// A filter that says nothing would touch everything; [`Filter::everything`](super::Filter::everything) does.
    #[error("a filter without a condition would touch every job; ask for everything if that is meant")]
    EmptyFilter,
    /// There is no such state.
    #[error("there is no state {0:?}")]
    UnknownState(String),
    /// No job in this state can be treated so.
    #[error("cannot {action} a job that is {}", state.as_str())]
    StateNotApplicable {
        /// What was asked for.
        action: &'static str,
        /// The state that the filter names.
        state: JobState,
    },
    /// A priority is 0 to 99.
    #[error("the priority {0} is not between 0 and 99")]
    PriorityOutOfRange(i64),
    /// The filter's times leave no time between them.
    #[error("nothing was created after the one time and before the other")]
    TimesOutOfOrder,
    /// A job is due between 1900 and 2200.
    #[error("the time is not between the years 1900 and 2200")]
    TimeOutOfRange,
    /// The cap is 1 to [`CAP_MAX`](super::CAP_MAX).
    #[error("a cap of {0} is not between 1 and {max}", max = super::CAP_MAX)]
    CapOutOfRange(usize),
    /// More ids than the cap.
    #[error("{ids} ids are more than the cap of {cap}")]
    TooManyIds {
        /// How many were given.
        ids: usize,
        /// The cap.
        cap: usize,
    },
    /// A limit that limits neither how many run nor how often.
    #[error("the limit limits nothing")]
    LimitsNothing,
    /// A number of a limit that it cannot have: 0 running, a rate that is not positive, a burst below 1.
    #[error("{0} is out of range")]
    LimitOutOfRange(&'static str),
    /// Sequences hold one job at a time, whatever operators say.
    #[error("the limit of sequences cannot be changed")]
    LimitReserved,
    /// Nobody has declared this limit.
    #[error("there is no limit {0:?}")]
    NoSuchLimit(String),
    /// The database failed. What was committed before is in the audit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}
