//! What the API says about itself: the OpenAPI document and a page to read it by, both made once at start.

mod upgrade;

use hyper::body::Bytes;
use poem::http::{HeaderValue, header};
use poem::{Response, Route, get};
use poem_openapi::{LicenseObject, OpenApi, OpenApiService};

/// The paths served here.
pub(crate) const PATHS: [&str; 2] = ["/openapi.json", "/docs"];

/// The page runs the script that it carries and may call this API, nothing else: it works offline and tells nobody.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src 'self' data:; \
     font-src data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const ABOUT: &str = "\
A job platform with a provable ledger. Money is moved by transactions: each is accepted in one commit together with its job, \
recorded in the ledger exactly once, and can be followed to its end.

Every error is an `application/problem+json` document (RFC 9457) with a stable `code`. Every POST that creates takes an \
`Idempotency-Key`. Lists are paged by cursors. Amounts are exact decimal strings with their currency.";

/// The operations with what is said about them as a whole.
pub(crate) fn service<T: OpenApi>(operations: T) -> OpenApiService<T, ()> {
    let license = LicenseObject::new("MIT OR Apache-2.0").identifier("MIT OR Apache-2.0");
    OpenApiService::new(operations, "BitNexus", env!("CARGO_PKG_VERSION")).description(ABOUT).license(license)
}

/// The document and its page, ready to be sent.
pub(crate) struct Documents {
    openapi: Bytes,
    page: Bytes,
}

/// Writes the document and the page.
pub(crate) fn render<T: OpenApi>(service: &OpenApiService<T, ()>) -> Documents {
    let original = service.spec();
    let openapi = upgrade::to_3_1(&original);
    // The page carries the document as it was written; it shall show the one that is served.
    let page = service.scalar_html().replacen(&original, &openapi.replace("</", "<\\/"), 1);
    let page = page.replacen("<title>Scalar</title>", "<title>BitNexus API</title>", 1);
    Documents { openapi: openapi.into(), page: page.into() }
}

/// Adds the document and the page to the routes.
pub(crate) fn routes(route: Route, documents: Documents) -> Route {
    let Documents { openapi, page } = documents;
    let openapi = poem::endpoint::make_sync(move |_| sent(&openapi, "application/json", None));
    let page = poem::endpoint::make_sync(move |_| sent(&page, "text/html; charset=utf-8", Some(PAGE_POLICY)));
    route.at("/openapi.json", get(openapi)).at("/docs", get(page))
}

fn sent(bytes: &Bytes, media_type: &'static str, policy: Option<HeaderValue>) -> Response {
    let mut response = Response::builder().content_type(media_type).body(bytes.clone());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
