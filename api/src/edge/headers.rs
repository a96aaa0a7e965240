//! Headers on every answer.

use poem::Response;
use poem::http::{HeaderName, HeaderValue, header};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Nothing may be loaded or run by whatever shows an answer of the API as a page.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A browser that has come by TLS once comes by nothing else for a year.
const TLS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the request's id and what OWASP's REST sheet asks of an answer; what the operation set itself stays.
pub(crate) fn secure(response: &mut Response, request_id: &str, is_tls: bool) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, TLS_ONLY);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
}
