//! Which pages of other origins may call the API (the Fetch standard's CORS). Tokens travel in a header that only a page's own script can
//! set, so no answer ever allows credentials.

use std::str::FromStr;

use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

/// What a page may send besides what it always may.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, traceparent, x-phoenix-authtoken, \
     x-phoenix-longpoll-token, x-request-id",
);

/// What a page may read besides what it always may.
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "deprecation, etag, idempotency-replayed, link, location, preference-applied, ratelimit, ratelimit-policy, retry-after, sunset, \
     www-authenticate, x-request-id",
);

/// For so many seconds a browser need not ask again.
const REMEMBERED_S: HeaderValue = HeaderValue::from_static("600");

/// Where a page comes from: `https://app.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let refused = || "an origin is written as https://app.example.org, without a path; there is no `*`".to_owned();
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(refused)?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_plain) {
            return Err(refused());
        }
        HeaderValue::from_str(text).map(Origin).map_err(|_| refused())
    }
}

/// The origin of the page that sent the request, if it may.
pub(crate) fn origin(request: &Request, allowed: &[Origin]) -> Option<HeaderValue> {
    let given = request.headers().get(header::ORIGIN)?;
    allowed.iter().find(|Origin(origin)| origin == given).map(|Origin(origin)| origin.clone())
}

/// Whether a browser asks what a page may do.
pub(crate) fn is_preflight(request: &Request) -> bool {
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    request.method() == Method::OPTIONS && asks && request.headers().contains_key(header::ORIGIN)
}

/// The answer to that, of a path with these methods.
pub(crate) fn preflight(methods: HeaderValue) -> Response {
    let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_S);
    response
}

/// Lets a page of the origin read the answer. The answer differs by origin, so caches are told of that in any case.
pub(crate) fn allow(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_exact() {
        for fine in ["https://app.example.org", "http://localhost:3000", "http://[::1]:8080"] {
            assert!(fine.parse::<Origin>().is_ok(), "{fine}");
        }
        for wrong in
            ["*", "", "https://", "app.example.org", "https://app.example.org/", "null", "https://APP.example.org"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
        let allowed = ["https://app.example.org".parse().unwrap()];
        let of = |from: &str| origin(&Request::builder().header(header::ORIGIN, from).finish(), &allowed);
        assert!(of("https://app.example.org").is_some());
        assert!(of("https://app.example.org.evil.example").is_none() && of("http://app.example.org").is_none());
    }
}
