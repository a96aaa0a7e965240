//! The one error of the API: an RFC 9457 problem, whatever went wrong and wherever.
//!
//! A handler, an extractor and the router all end in a [`Problem`]; the outermost layer gives it its request's id and writes it.

pub(crate) mod from_domain;
mod from_poem;
mod from_queue;
mod render;
mod schema;

use std::borrow::Cow;
use std::fmt;

use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

pub(crate) use from_poem::from_poem;
pub(crate) use render::{MEDIA_TYPE, title};
pub(crate) use schema::ProblemView;

/// At most so many field errors are listed; what comes after them is found when these are mended.
const FIELD_PROBLEMS_MAX: usize = 100;

/// One wrong field of the body, or one wrong parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Where it is.
    pub at: Place,
    /// The rule it breaks, stable snake_case.
    pub code: &'static str,
    /// The same for a person.
    pub detail: String,
}

/// Where a wrong value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A JSON Pointer (RFC 6901) into the body.
    Pointer(String),
    /// The name of a query, path or header parameter.
    Parameter(String),
}

/// What the API answers instead of a result.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    errors: Vec<FieldProblem>,
    extensions: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a stable `code` and a sentence for a person.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Problem {
        let (errors, extensions, headers) = (Vec::new(), Map::new(), Vec::new());
        Problem { status, code, detail: detail.into(), errors, extensions, headers }
    }

    /// The refusal of a request whose syntax is right and whose values are not: 422 with each of them named.
    pub fn invalid(mut errors: Vec<FieldProblem>) -> Problem {
        let detail = match errors.len() {
            1 => "One value is not acceptable; see errors.".into(),
            n => Cow::Owned(format!("{n} values are not acceptable; see errors.")),
        };
        errors.truncate(FIELD_PROBLEMS_MAX);
        Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail) }
    }

    /// [`Problem::invalid`] for one parameter.
    pub fn parameter(name: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Problem {
        Problem::invalid(vec![FieldProblem { at: Place::Parameter(name.into()), code, detail: detail.into() }])
    }

    /// There is no such thing, or it is not the caller's to see: the two look the same on purpose.
    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here that you may see.")
    }

    /// No token, or none that is valid.
    pub fn unauthorized(detail: &'static str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail).challenge()
    }

    /// Adds the challenge that RFC 9110 asks of every 401.
    pub(crate) fn challenge(self) -> Problem {
        self.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bitnexus\""))
    }

    /// The caller is known and may not do this.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// Something of ours broke; what it was is in the log under the request's id, not in the answer.
    pub fn internal() -> Problem {
        let detail = "Something broke on our side. It is logged under this request_id.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    /// For now the request cannot be served; `code` says by what.
    pub fn unavailable(code: &'static str, detail: &'static str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// Adds a wrong field.
    pub fn error(mut self, error: FieldProblem) -> Problem {
        self.errors.push(error);
        self
    }

    /// Adds a response header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// Adds an extension member to the document.
    pub fn extension(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> poem::Error {
        let status = problem.status;
        poem::Error::new(problem, status)
    }
}
