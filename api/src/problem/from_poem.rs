//! Problems of routing and of poem's own extractors.

use poem::error::{MethodNotAllowedError, NotFoundError, ParsePathError};
use poem::http::StatusCode;
use poem_openapi::error::{ParseParamError, ParsePathError as ParsePathParamError};

use super::Problem;

/// Turns what poem, or a handler through it, failed with into a problem. `route` is the template of the path, `/users/{id}`; `Allow` is
/// added where the routes are known.
pub(crate) fn from_poem(error: poem::Error, route: &str) -> Problem {
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
        return Problem::parameter(path_parameter(route, error.name), "invalid_parameter", reason(&error.reason));
    }
    unexpected(&error)
}

/// poem-openapi calls the parameters of a path `param0`, `param1` and so on; the template has their names.
fn path_parameter<'a>(route: &'a str, name: &'a str) -> &'a str {
    let index = name.strip_prefix("param").and_then(|index| index.parse().ok()).unwrap_or(0);
    let mut names = route.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.nth(index).unwrap_or(name)
}

/// poem-openapi adds the Rust type before and behind a reason; a caller has no use for it.
fn reason(text: &str) -> String {
    let text = match text.split_once("\": ") {
        Some((prefix, reason)) if prefix.starts_with("failed to parse \"") => reason,
        _ => text,
    };
    text.split(" (occurred while parsing \"").next().unwrap_or(text).to_owned()
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
    fn a_parameter_of_a_path_has_its_own_name() {
        assert_eq!(path_parameter("/users/{id}/keys/{key}", "param1"), "key");
    }

    #[test]
    fn a_reason_loses_its_rust_type() {
        assert_eq!(reason("failed to parse \"string(uuid)\": Too short."), "Too short.");
        assert_eq!(reason("Too large. (occurred while parsing \"optional_Limit\")"), "Too large.");
        assert_eq!(reason("Type \"x\" expects an input value."), "Type \"x\" expects an input value.");
    }
}
