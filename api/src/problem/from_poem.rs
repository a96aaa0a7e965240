//! Problems of routing and of poem's own extractors.

use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError};
use poem::http::StatusCode;
use poem_openapi::error::{ParseParamError, ParsePathError as ParsePathParamError};

use super::Problem;

/// Turns what poem, or a handler through it, failed with into a problem. `Allow` is added where the routes are known.
pub(crate) fn from_poem(error: poem::Error) -> Problem {
    let error = match error.downcast::<Problem>() {
        Ok(problem) => return problem,
        Err(error) => error,
    };
    if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
        return Problem::new(StatusCode::NOT_FOUND, "no_such_route", "No operation has this path.");
    }
    if error.is::<MethodNotAllowedError>() {
        let detail = "This path does not take this method; the Allow header lists those it takes.";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    }
    if let Some(error) = error.downcast_ref::<ParseParamError>() {
        return Problem::parameter(error.name, "invalid_parameter", reason(&error.reason));
    }
    if let Some(error) = error.downcast_ref::<ParsePathParamError>() {
        return Problem::parameter(error.name, "invalid_parameter", reason(&error.reason));
    }
    unexpected(&error)
}

/// poem-openapi prefixes a reason with the Rust type; a caller has no use for it.
fn reason(text: &str) -> String {
    match text.split_once("\": ") {
        Some((prefix, reason)) if prefix.starts_with("failed to parse \"") => reason.to_owned(),
        _ => text.to_owned(),
    }
}

fn unexpected(error: &poem::Error) -> Problem {
    let status = error.status();
    if status.is_client_error() {
        return Problem::new(status, "bad_request", error.to_string());
    }
    tracing::error!(%error, "a request failed unexpectedly");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_loses_its_rust_type() {
        assert_eq!(reason("failed to parse \"string(uuid)\": too short"), "too short");
        assert_eq!(reason("Type \"x\" expects an input value."), "Type \"x\" expects an input value.");
    }
}
