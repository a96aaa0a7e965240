//! What the API says about itself: the OpenAPI document and a page to read it by, both made once at start.

mod common;
mod follow;
mod sample;
mod upgrade;
mod webhooks;

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response, Route, get};
use poem_openapi::{ContactObject, LicenseObject, OpenApi, OpenApiService};

use crate::found::KnownTags;
use crate::reply::tag_of;

/// The paths served here.
pub(crate) const PATHS: [&str; 2] = ["/openapi.json", "/docs"];

/// The page runs the script that it carries and may call this API, nothing else: it works offline and tells nobody.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src 'self' data:; \
     font-src data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The page loads no fonts and sends nobody to another site, and its requests go to this API by no proxy.
const SETTINGS: &str = r#"{"withDefaultFonts":false,"hideClientButton":true,"hideDownloadButton":false,"authentication":{"preferredSecurityScheme":"bearer"}}"#;

const ABOUT: &str = "\
A job platform with a provable ledger. Money is moved by transactions: each is accepted in one commit together with its job, \
recorded in the ledger exactly once, and can be followed to its end.

Every error is an `application/problem+json` document (RFC 9457) with a stable `code`. Every POST that creates takes an \
`Idempotency-Key`. Lists are paged by cursors. Amounts are exact decimal strings with their currency.";

/// The operations with what is said about them as a whole.
pub(crate) fn service<T: OpenApi>(operations: T) -> OpenApiService<T, ()> {
    let license = LicenseObject::new("MIT OR Apache-2.0").identifier("MIT OR Apache-2.0");
    let contact = ContactObject::new().name("Whoever runs this service");
    let service = OpenApiService::new(operations, "BitNexus", env!("CARGO_PKG_VERSION"));
    service.description(ABOUT).license(license).contact(contact)
}

/// The document and its page, ready to be sent.
pub(crate) struct Documents {
    openapi: Sheet,
    page: Sheet,
}

/// The document, as it is served.
pub(crate) fn document<T: OpenApi>(service: &OpenApiService<T, ()>) -> String {
    upgrade::to_3_1(&service.spec())
}

/// Writes the document and the page.
pub(crate) fn render<T: OpenApi>(service: &OpenApiService<T, ()>) -> Documents {
    let (original, openapi) = (service.spec(), document(service));
    // The page carries the document as it was written; it shall show the one that is served.
    let page = service.scalar_html().replacen(&original, &openapi.replace("</", "<\\/"), 1);
    let page = page.replacen("<title>Scalar</title>", "<title>BitNexus API</title>", 1);
    let page =
        page.replacen("id=\"api-reference\"\n", &format!("id=\"api-reference\" data-configuration='{SETTINGS}'\n"), 1);
    Documents {
        openapi: Sheet::new("application/json", openapi, None),
        page: Sheet::new("text/html; charset=utf-8", page, Some(PAGE_POLICY)),
    }
}

/// Adds the document and the page to the routes.
pub(crate) fn routes(route: Route, documents: Documents) -> Route {
    let Documents { openapi, page } = documents;
    route.at("/openapi.json", get(openapi.endpoint())).at("/docs", get(page.endpoint()))
}

/// Something that never changes while the process runs, compressed once.
struct Sheet {
    media_type: &'static str,
    policy: Option<HeaderValue>,
    tag: String,
    plain: Bytes,
    compressed: Bytes,
}

impl Sheet {
    fn new(media_type: &'static str, text: String, policy: Option<HeaderValue>) -> Sheet {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(text.as_bytes()).expect("memory can be written");
        let compressed = encoder.finish().expect("memory can be written").into();
        Sheet { media_type, policy, tag: tag_of(text.as_bytes()), plain: text.into(), compressed }
    }

    fn endpoint(self) -> impl poem::Endpoint<Output = Response> {
        let sheet = Arc::new(self);
        poem::endpoint::make_sync(move |request| sheet.sent(&request))
    }

    /// The whole, or that the caller has it: a browser may keep it and asks each time whether it still holds.
    fn sent(&self, request: &Request) -> Response {
        let mut response = Response::builder().header(header::ETAG, &self.tag).finish();
        if KnownTags::of(request).contains(&self.tag) {
            response.set_status(StatusCode::NOT_MODIFIED);
        } else if takes_gzip(request) {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response.set_body(self.compressed.clone());
        } else {
            response.set_body(self.plain.clone());
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(policy) = &self.policy {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
        }
        response
    }
}

/// Whether the caller can read gzip and has not ruled it out.
fn takes_gzip(request: &Request) -> bool {
    let given = request.headers().get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|list| list.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        is_gzip && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ruled_out_is_not_sent() {
        let takes = |given: &str| takes_gzip(&Request::builder().header(header::ACCEPT_ENCODING, given).finish());
        assert!(takes("gzip") && takes("br, gzip;q=0.5") && takes("GZIP"));
        assert!(!takes("br") && !takes("gzip;q=0") && !takes("") && !takes("identity, gzip; q=0.0"));
    }

    #[test]
    fn the_tag_is_of_the_text_and_the_compressed_form_is_the_text() {
        let sheet = Sheet::new("text/plain", "x".repeat(1_000), None);
        assert!(sheet.compressed.len() < 100 && sheet.plain.len() == 1_000);
        let known = Request::builder().header(header::IF_NONE_MATCH, &sheet.tag).finish();
        assert_eq!(sheet.sent(&known).status(), StatusCode::NOT_MODIFIED);
    }
}
