//! The strict body: one JSON document of one shape, every wrong field of it named at once.
//!
//! poem-openapi's own `Json<T>` reads without limit, stops at the first wrong field without saying where it is, ignores unknown fields
//! and takes a number for a string. [`Body`] has none of that: it reads at most the limit, and walks the document with a
//! [`Reader`](read::Reader) that collects what is wrong under its JSON Pointer.

pub(crate) mod change;
pub(crate) mod choice;
pub(crate) mod csv;
pub(crate) mod day;
pub(crate) mod event_id;
pub(crate) mod flag;
pub(crate) mod integer;
pub(crate) mod list;
pub(crate) mod money;
pub(crate) mod names;
pub(crate) mod object;
pub(crate) mod payload;
pub(crate) mod profile;
pub(crate) mod read;
pub(crate) mod scalar;
pub(crate) mod text;
pub(crate) mod upload;

use hyper::body::Bytes;
use poem::http::{StatusCode, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use sha2::{Digest, Sha256};

use crate::edge::Context;
use crate::json::Json;
use crate::problem::Problem;
use read::{FromJson, Reader};

/// A JSON request body.
pub(crate) struct Body<T> {
    /// What it says.
    pub value: T,
    /// SHA-256 of its bytes: the same request again has the same.
    pub fingerprint: [u8; 32],
}

/// A shape of request body.
pub(crate) trait Shape: FromJson {
    /// Whether it may be as long as a batch.
    const IS_BATCH: bool = false;
}

impl<'a, T: Shape> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Body<T>> {
        check_content_type(request)?;
        let context = Context::from(request);
        let bytes = receive(body.take()?, &context.state.limits, T::IS_BATCH).await?;
        let value = parse(&bytes)?;
        Ok(Body { value, fingerprint: Sha256::digest(&bytes).into() })
    }
}

/// `application/json`, in UTF-8 if it names a character set.
fn check_content_type(request: &Request) -> Result<(), Problem> {
    let given = request.header(header::CONTENT_TYPE).unwrap_or_default();
    let mut parts = given.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|media| media == "application/json");
    let is_utf8 = |part: &String| {
        !part.starts_with("charset=") || part.trim_start_matches("charset=").trim_matches('"') == "utf-8"
    };
    if is_json && parts.all(|part| is_utf8(&part)) {
        return Ok(());
    }
    let detail = "The body must be application/json in UTF-8, and its Content-Type must say so.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail))
}

/// Reads a body within its limits of size and time.
pub(crate) async fn receive(body: poem::Body, limits: &crate::Limits, is_batch: bool) -> Result<Bytes, Problem> {
    let bytes_max = if is_batch { limits.batch_body_bytes_max } else { limits.body_bytes_max };
    match tokio::time::timeout(limits.body_timeout, body.into_bytes_limit(bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => {
            let detail = format!("The body is longer than the {bytes_max} bytes this operation takes.");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
        }
        Ok(Err(_)) => {
            Err(Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", "The body ended before it was complete."))
        }
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "The body took too long to arrive.")),
    }
}

/// Bytes to a value: 400 when they are not JSON, 422 when the JSON is not of the shape.
fn parse<T: FromJson>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let detail = format!("The body is not UTF-8: byte {} is wrong.", error.valid_up_to());
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })?;
    let json: Json<'_> = serde_json::from_str(text).map_err(|error| {
        let detail = format!("The body is not JSON: {error}.");
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })?;
    let mut reader = Reader::default();
    let value = T::from_json(json, &mut reader);
    reader.finish(value)
}

/// Reads a value of a shape from text, as a request would.
#[cfg(test)]
pub(crate) fn parsed<T: FromJson>(text: &str) -> Result<T, Problem> {
    parse(text.as_bytes())
}
