//! The throttle in front of every check of a password.

use domain::access::throttle::{self, Attempt};
use ledger::Book;
use poem::http::{StatusCode, header};

use super::LOGIN_LOCKS;
use crate::problem::Problem;
use crate::reply::Refusal;
use crate::state::Shared;

/// The refusals of an operation that checks a password.
pub(crate) const REFUSALS: &[Refusal] = &[
    Refusal {
        status: 429,
        code: "too_many_attempts",
        when: "Too many wrong passwords for this address, whether or not a user has it; `Retry-After` says when to go on.",
    },
    Refusal { status: 503, code: "busy", when: "Too many passwords are being checked." },
];

/// Counts an attempt on this address, or refuses it unseen.
pub(crate) async fn admit(state: &Shared, email: &str) -> Result<Attempt, Problem> {
    let admission = throttle::attempt(&mut *state.connection().await?, Book::MAIN, email).await?;
    admission.map_err(|seconds| {
        let detail = format!("Too many wrong passwords for this address; try again in {seconds} s.");
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail)
            .header(header::RETRY_AFTER, seconds.into())
    })
}

/// Says in the log that an attempt failed and locked its address, and tidies up behind it.
pub(crate) async fn failed(state: &Shared, attempt: &Attempt) -> Result<(), Problem> {
    if attempt.locks_seconds > 0 {
        let Attempt { failures, locks_seconds, name } = attempt;
        tracing::warn!(address = %name, failures, locks_seconds, "wrong passwords have locked an address");
        metrics::counter!(LOGIN_LOCKS.name).increment(1);
    }
    throttle::prune(&mut *state.connection().await?, Book::MAIN).await?;
    Ok(())
}
