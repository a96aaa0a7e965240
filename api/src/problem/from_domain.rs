//! Problems of the domain and of its database.

use poem::http::StatusCode;

use super::{FieldProblem, Place, Problem};

impl From<domain::Error> for Problem {
    fn from(error: domain::Error) -> Problem {
        match error {
            domain::Error::Invalid(fields) => Problem::invalid(fields.into_iter().map(field).collect()),
            domain::Error::Conflict { code, detail, existing } => {
                let problem = Problem::new(StatusCode::CONFLICT, code, sentence(&detail));
                match existing {
                    Some(id) => problem.extension("existing_id", id.to_string()),
                    None => problem,
                }
            }
            domain::Error::NotFound => Problem::not_found(),
            domain::Error::Forbidden(detail) => Problem::forbidden(sentence(detail)),
            domain::Error::Stale => {
                let detail = "This has changed since you read it: read it again, and change what is there now.";
                Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail)
            }
            domain::Error::IdempotencyMismatch => {
                let detail = "This Idempotency-Key was used with another request body.";
                Problem::new(StatusCode::CONFLICT, "idempotency_key_reused", detail)
            }
            domain::Error::Unavailable => Problem::unavailable(
                "unavailable",
                "Whether the request was done is not known; repeating it with its key or reference is safe.",
            ),
            domain::Error::Database(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Problem {
        if is_passing(&error) {
            tracing::warn!(%error, "the database cannot be reached");
            return Problem::unavailable("database_unavailable", "The database cannot be reached at the moment.");
        }
        tracing::error!(%error, "the database refused a statement");
        Problem::internal()
    }
}

/// Whether the same request may work in a moment.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => true,
        // Connection exceptions, lack of resources, shutdown of the server, a lost race between transactions.
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class))
        }
        _ => false,
    }
}

/// The domain writes "must not be blank"; an answer is a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().collect::<String>()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", characters.as_str())
}

fn field(error: domain::FieldError) -> FieldProblem {
    FieldProblem { at: Place::Pointer(error.pointer), code: error.code, detail: sentence(&error.detail) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_becomes_a_sentence() {
        assert_eq!(sentence("must not be blank"), "Must not be blank.");
        assert_eq!(sentence("Done."), "Done.");
    }

    #[test]
    fn a_lost_database_is_ours_to_excuse_and_a_bug_is_not_shown() {
        assert_eq!(Problem::from(sqlx::Error::PoolTimedOut).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            Problem::from(sqlx::Error::ColumnNotFound("secret".into())).status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
