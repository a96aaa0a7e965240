//! What can be wrong with a request, as the caller is told.

use uuid::Uuid;

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// A JSON Pointer (RFC 6901) to the value in the request's body, such as `/amount`.
    pub pointer: String,
    /// A stable name of the rule that was broken, in snake case.
    pub code: &'static str,
    /// The rule and what is wrong with the value, for a person.
    pub detail: String,
}

/// Why a call of this crate did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields break rules; every one of them is named.
    #[error("{} field(s) are not valid", .0.len())]
    Invalid(Vec<FieldError>),
    /// What is there already stands against it.
    #[error("{detail}")]
    Conflict {
        /// A stable name of the reason, in snake case.
        code: &'static str,
        /// What stands against it, for a person.
        detail: String,
        /// What is there already.
        existing: Option<Uuid>,
    },
    /// It does not exist, or the caller may not know that it does.
    #[error("not found")]
    NotFound,
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// What is to be changed is no longer what the caller read.
    #[error("it has changed since it was read")]
    Stale,
    /// The `Idempotency-Key` was used with another body.
    #[error("this Idempotency-Key was used with another request body")]
    IdempotencyMismatch,
    /// The service cannot answer now; whether the request had an effect is not known, and repeating it is safe.
    #[error("the service is not available")]
    Unavailable,
    /// The database failed; trying again may help.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// An error of one field.
    pub fn field(pointer: &str, code: &'static str, detail: impl Into<String>) -> Error {
        Error::Invalid(vec![FieldError { pointer: pointer.to_owned(), code, detail: detail.into() }])
    }

    /// Whether it is the violation of this unique index.
    pub fn is_unique_violation(error: &sqlx::Error, index: &str) -> bool {
        error.as_database_error().is_some_and(|error| error.is_unique_violation() && error.constraint() == Some(index))
    }
}
