//! A file as it arrives: piece by piece, so that the whole of it is never in memory, and for as long as it keeps coming.

use std::io;
use std::time::Duration;

use domain::imports::Format;
use domain::imports::upload::PIECE_BYTES;
use futures::StreamExt;
use futures::stream::BoxStream;
use hyper::body::Bytes;
use poem::http::{Method, StatusCode, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use tokio::time::Instant;

use crate::edge::Context;
use crate::problem::Problem;
use crate::state::Limits;

/// The operations that take a file.
const PATHS: [&str; 2] = ["/api/v1/imports", "/api/v1/ledger/statements"];

/// A media type that a file may have.
pub(super) struct Media {
    name: &'static str,
    format: Format,
    about: &'static str,
}

pub(super) const CSV: Media =
    Media { name: "text/csv", format: Format::Csv, about: "A header, and a line for each row, by RFC 4180 in UTF-8." };

const JSON_LINES: Media =
    Media { name: "application/x-ndjson", format: Format::JsonLines, about: "A JSON object a line, in UTF-8." };

const MEDIA: [Media; 2] = [CSV, JSON_LINES];

/// What a request may take beyond the usual, because its body is a file.
pub(crate) fn patience(request: &Request, limits: &Limits) -> Duration {
    let is_file = request.method() == Method::POST && PATHS.contains(&request.uri().path());
    if is_file { deadline_of(limits, limits.upload_bytes_max) } else { Duration::ZERO }
}

/// By when so many bytes must have arrived, from the beginning.
fn deadline_of(limits: &Limits, bytes: u64) -> Duration {
    limits.body_timeout + Duration::from_secs(bytes / limits.upload_rate_min.max(1))
}

/// A request body that is a file.
pub(crate) struct Upload {
    /// How its rows are written, by its media type.
    pub format: Format,
    stream: BoxStream<'static, io::Result<Bytes>>,
    /// What has arrived and is of no piece yet.
    rest: Bytes,
    received: u64,
    began: Instant,
    limits: Limits,
}

impl Upload {
    /// The next piece, [`PIECE_BYTES`] long unless it is the last one; none at the end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Vec<u8>>, Problem> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            let count = self.rest.len().min(PIECE_BYTES - piece.len());
            piece.extend_from_slice(&self.rest.split_to(count));
            if piece.len() == PIECE_BYTES {
                return Ok(Some(piece));
            }
            match self.receive().await? {
                Some(bytes) => self.rest = bytes,
                None => return Ok((!piece.is_empty()).then_some(piece)),
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<Bytes>, Problem> {
        let deadline = self.began + deadline_of(&self.limits, self.received);
        match tokio::time::timeout_at(deadline, self.stream.next()).await {
            Ok(Some(Ok(bytes))) => {
                self.received += bytes.len() as u64;
                check_length(self.received, &self.limits)?;
                Ok(Some(bytes))
            }
            Ok(None) => Ok(None),
            Ok(Some(Err(_))) => {
                let detail = "The body ended before it was complete.";
                Err(Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail))
            }
            Err(_) => {
                let detail = "The file arrives too slowly, or not at all.";
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", detail))
            }
        }
    }
}

fn check_length(bytes: u64, limits: &Limits) -> Result<(), Problem> {
    let bytes_max = limits.upload_bytes_max;
    if bytes <= bytes_max {
        return Ok(());
    }
    let detail = format!("The file is longer than the {bytes_max} bytes that an import takes.");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
}

impl Upload {
    /// The body of a request that takes these media types; nothing of it is asked for yet.
    pub(super) fn open(request: &Request, body: &mut RequestBody, media: &[Media]) -> Result<Upload> {
        let given = request.header(header::CONTENT_TYPE).unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some(Media { format, .. }) = media.iter().find(|media| media.name == given) else {
            let names: Vec<_> = media.iter().map(|media| media.name).collect();
            let detail = format!("The body must be {} in UTF-8, and its Content-Type must say so.", names.join(" or "));
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into());
        };
        let limits = Context::from(request).state.limits.clone();
        // Before the first byte of it is asked for.
        let declared = request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
        check_length(declared.unwrap_or(0), &limits)?;
        let stream = body.take()?.into_bytes_stream().boxed();
        Ok(Upload { format: *format, stream, rest: Bytes::new(), received: 0, began: Instant::now(), limits })
    }
}

/// What the document says of a body of these media types.
pub(super) fn request_meta(media_types: &[Media]) -> MetaRequest {
    let media = |media: &Media| {
        let schema = MetaSchema { description: Some(media.about), min_length: Some(1), ..MetaSchema::new("string") };
        MetaMediaType { content_type: media.name, schema: MetaSchemaRef::Inline(Box::new(schema)) }
    };
    MetaRequest { description: None, content: media_types.iter().map(media).collect(), required: true }
}

impl<'a> ApiExtractor<'a> for Upload {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(request_meta(&MEDIA))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Upload> {
        Upload::open(request, body, &MEDIA)
    }
}
