//! What the request's headers ask for.

use std::time::Duration;

use poem::Request;
use poem::http::{StatusCode, header};

use crate::problem::Problem;

/// The longest that `Prefer: wait` may hold a request.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(30);

/// Refuses a request for a resource in anything but JSON.
pub(crate) fn accepts_json(request: &Request) -> Result<(), Problem> {
    let accepted = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges =
        accepted.flat_map(|list| list.split(',')).map(str::trim).filter(|range| !range.is_empty()).peekable();
    if ranges.peek().is_none() || !request.uri().path().starts_with("/api/") || ranges.any(is_json) {
        return Ok(());
    }
    let detail = "The API answers with application/json, which the Accept header rules out.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail))
}

fn is_json(range: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
    matches!(media.as_str(), "*/*" | "application/*" | "application/json" | "application/problem+json") && !refused
}

/// How long `Prefer: wait=N` (RFC 7240) asks the answer to be held, at most [`WAIT_MAX`]; zero without it.
pub(crate) fn wait(request: &Request) -> Duration {
    let preferences = request.headers().get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let wait = preferences.flat_map(|list| list.split(',')).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    wait.map_or(Duration::ZERO, Duration::from_secs).min(WAIT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_read_and_bounded() {
        let wait_of = |value: &str| wait(&Request::builder().header("prefer", value).finish()).as_secs();
        assert_eq!(wait_of("wait=5"), 5);
        assert_eq!(wait_of("respond-async, Wait = 7"), 7);
        assert_eq!(wait_of("wait=999"), 30);
        assert_eq!(wait_of("wait=-1"), 0);
        assert_eq!(wait_of("return=minimal"), 0);
    }

    #[test]
    fn json_must_not_be_ruled_out() {
        let status = |accept: &str| {
            let request = Request::builder().uri_str("/api/v1/users").header("accept", accept).finish();
            accepts_json(&request).map_err(|problem| problem.status().as_u16())
        };
        for fine in ["*/*", "application/json", "text/html, application/*;q=0.1", ""] {
            assert_eq!(status(fine), Ok(()), "{fine}");
        }
        for ruled_out in ["text/html", "application/json;q=0", "image/*"] {
            assert_eq!(status(ruled_out), Err(406), "{ruled_out}");
        }
    }
}
