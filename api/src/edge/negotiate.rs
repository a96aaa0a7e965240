//! What the request's headers ask for.

use std::time::Duration;

use poem::Request;
use poem::http::{StatusCode, header};

use crate::prefer::Prefer;
use crate::problem::Problem;

/// Refuses a request for a resource in anything but JSON.
pub(crate) fn accepts_json(request: &Request) -> Result<(), Problem> {
    let accepted = request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges =
        accepted.flat_map(|list| list.split(',')).map(str::trim).filter(|range| !range.is_empty()).peekable();
    let path = request.uri().path();
    if ranges.peek().is_none() || !path.starts_with("/api/") || ranges.any(|range| is_taken(range, path)) {
        return Ok(());
    }
    let detail = "The API answers with application/json, which the Accept header rules out.";
    Err(Problem::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail))
}

/// Whether something that the path answers with is in the range: JSON, of the log also notes and tiles, and files by their name.
fn is_taken(range: &str, path: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default().to_ascii_lowercase();
    let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
    let is_json = matches!(media.as_str(), "*/*" | "application/*" | "application/json" | "application/problem+json");
    let is_log = matches!(media.as_str(), "text/*" | "text/plain" | "application/octet-stream");
    let is_csv = matches!(media.as_str(), "text/*" | "text/csv") && path.ends_with(".csv");
    let is_stream = matches!(media.as_str(), "text/*" | "text/event-stream") && path == "/api/v1/events";
    !refused && (is_json || is_stream || is_csv || (is_log && path.starts_with("/api/v1/ledger/")))
}

/// Headers that change what a request does.
const DECISIVE: [&str; 2] = ["Idempotency-Key", "If-Match"];

/// Refuses such a header that is no text or, where there can be but one, there twice: to overlook it would be to do something else than
/// was asked for.
pub(crate) fn has_plain_headers(request: &Request) -> Result<(), Problem> {
    for name in DECISIVE {
        let values = request.headers().get_all(name);
        if values.iter().any(|value| value.to_str().is_err()) {
            return Err(Problem::parameter(name, "invalid_parameter", "This must be printable ASCII."));
        }
        if name == DECISIVE[0] && values.iter().nth(1).is_some() {
            return Err(Problem::parameter(name, "duplicate_parameter", "This is given more than once."));
        }
    }
    Ok(())
}

/// How long `Prefer: wait` or a parameter `wait` asks the answer to be held, beyond what the work takes; zero without it.
pub(crate) fn wait(request: &Request) -> Duration {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let parameter = pairs.filter(|pair| pair.starts_with("wait=")).find_map(|pair| Prefer::parse(pair).ok());
    let preference = request.header("prefer").and_then(|text| Prefer::parse(text).ok());
    let wait = |given: Option<Prefer>| given.and_then(|Prefer(wait)| wait).unwrap_or_default();
    wait(preference).max(wait(parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_decides_is_not_overlooked() {
        let of = |values: &[&str]| {
            let with = |request: poem::RequestBuilder, value: &&str| request.header("idempotency-key", *value);
            has_plain_headers(&values.iter().fold(Request::builder(), with).finish()).is_ok()
        };
        assert!(of(&[]) && of(&["order-17"]));
        assert!(!of(&["\u{e9}"]) && !of(&["order-17", "order-17"]));
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
        let tile = Request::builder().uri_str("/api/v1/ledger/tile/0/000").header("accept", "application/octet-stream");
        assert!(accepts_json(&tile.finish()).is_ok());
        assert_eq!(status("application/octet-stream"), Err(406));
    }
}
