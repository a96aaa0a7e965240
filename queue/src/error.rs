//! What a job answers when it does not succeed: a decision, typed at the line that fails.

use std::error::Error;
use std::time::Duration;

use sqlx::postgres::PgDatabaseError;

/// Any error that can cross threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The job is no longer this process's: its lease ran out or was taken, and somebody else may be running the job. Only
/// the queue says so.
#[derive(Debug, thiserror::Error)]
#[error("the job has been taken from this process")]
pub struct LeaseLost(pub(crate) ());

/// Why a job did not succeed, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Try again after the delay of the kind's [`Retry`](crate::Retry) policy; uses an attempt.
    #[error("{0}")]
    Retry(#[source] BoxError),
    /// Try again after this delay; uses an attempt.
    #[error("{0}")]
    RetryAfter(#[source] BoxError, Duration),
    /// Nothing is wrong, it is too early: come back after this delay; uses no attempt.
    #[error("snoozed for {0:?}")]
    Snooze(Duration),
    /// The job makes no sense (any more): file it as discarded, with the reason.
    #[error("{0}")]
    Discard(#[source] BoxError),
    /// Somebody does not want the job any more: file it as cancelled, with the reason.
    #[error("{0}")]
    Cancel(#[source] BoxError),
    /// The run ends here without an outcome, and is no failed attempt: [`JobContext`](crate::JobContext) has found out
    /// that the job is not this process's any more. Pass it on with `?`; whatever else is returned, nothing is written.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
}

impl JobError {
    /// [`JobError::Retry`] from any error or text.
    pub fn retry(error: impl Into<BoxError>) -> JobError {
        JobError::Retry(error.into())
    }

    /// [`JobError::RetryAfter`] from any error or text.
    pub fn retry_after(error: impl Into<BoxError>, delay: Duration) -> JobError {
        JobError::RetryAfter(error.into(), delay)
    }

    /// [`JobError::Discard`] from any error or text.
    pub fn discard(error: impl Into<BoxError>) -> JobError {
        JobError::Discard(error.into())
    }

    /// [`JobError::Cancel`] from any error or text.
    pub fn cancel(error: impl Into<BoxError>) -> JobError {
        JobError::Cancel(error.into())
    }

    /// Whether the database, not the job, is to blame: a lost connection, a restart, a deadlock, a lock that did not
    /// come. Splitting a batch would not help then.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            JobError::Retry(error) | JobError::RetryAfter(error, _) => is_transient(error.as_ref()),
            JobError::Snooze(_) | JobError::Discard(_) | JobError::Cancel(_) | JobError::LeaseLost(_) => false,
        }
    }
}

impl From<sqlx::Error> for JobError {
    fn from(error: sqlx::Error) -> JobError {
        JobError::retry(error)
    }
}

impl From<crate::EnqueueError> for JobError {
    fn from(error: crate::EnqueueError) -> JobError {
        JobError::retry(error)
    }
}

/// Whether any link of the error's chain blames the database's state rather than the statement.
pub(crate) fn is_transient(error: &(dyn Error + 'static)) -> bool {
    let mut link = Some(error);
    while let Some(error) = link {
        let blamed = match error.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| is_transient_code(&code)),
            Some(error) => is_lost_connection(error),
            None => {
                // An error type that is transparent over `sqlx::Error` shows only what lies beneath it.
                let of_database = error.downcast_ref::<PgDatabaseError>();
                of_database.is_some_and(|error| is_transient_code(error.code())) || error.is::<std::io::Error>()
            }
        };
        if blamed {
            return true;
        }
        link = error.source();
    }
    false
}

/// Whether the connection, rather than the statement, failed.
pub(crate) fn is_lost_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::BeginFailed
        | sqlx::Error::WorkerCrashed => true,
        // 25P03 and 57P05: this session was ended for idling; 57P01 to 57P03: the server is being shut down or started.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.starts_with("08") || matches!(&*code, "25P03" | "57P01" | "57P02" | "57P03" | "57P05")
        }),
        _ => false,
    }
}

/// SQLSTATE codes of failures that go away by themselves.
fn is_transient_code(code: &str) -> bool {
    let classes = ["08", "53", "57P"];
    let codes = ["25P03", "40001", "40P01", "55P03"];
    classes.iter().any(|class| code.starts_with(class)) || codes.contains(&code)
}

/// An error as it is kept with a job: its text and those of its causes, each cut to a sensible length.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Failure {
    error: String,
    chain: Vec<String>,
}

/// The longest text kept of an error, in bytes.
const ERROR_BYTES_MAX: usize = 4_096;
/// The most causes kept of an error.
const CHAIN_LINKS_MAX: usize = 8;

impl Failure {
    pub(crate) fn text(text: impl Into<String>) -> Failure {
        Failure { error: cut(text.into()), chain: Vec::new() }
    }

    pub(crate) fn of(error: &(dyn Error + 'static)) -> Failure {
        let causes = std::iter::successors(error.source(), |cause| Error::source(*cause));
        let chain = causes.take(CHAIN_LINKS_MAX).map(|cause| cut(cause.to_string())).collect();
        Failure { error: cut(error.to_string()), chain }
    }

    pub(crate) fn message(&self) -> &str {
        &self.error
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings serialise")
    }
}

/// Cuts at a character's boundary, and takes out the one character that jsonb cannot hold.
fn cut(mut text: String) -> String {
    if text.len() > ERROR_BYTES_MAX {
        let end = (0..=ERROR_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_transient_and_a_wrong_statement_is_not() {
        assert!(JobError::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(JobError::retry(std::io::Error::other("reset")).is_transient());
        assert!(!JobError::from(sqlx::Error::RowNotFound).is_transient());
        assert!(!JobError::retry("the card was declined").is_transient());
    }

    #[test]
    fn a_long_error_is_cut_at_a_character() {
        let failure = Failure::text("€".repeat(ERROR_BYTES_MAX));
        assert!(failure.message().len() <= ERROR_BYTES_MAX && failure.message().ends_with('€'));
        assert_eq!(Failure::text("a\0b").message(), "a\u{fffd}b");
    }
}
