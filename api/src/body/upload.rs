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

/// The one operation that takes a file.
const PATH: &str = "/api/v1/imports";

/// The media types of a file, and what they are.
const MEDIA: [(&str, Format, &str); 2] = [
    ("text/csv", Format::Csv, "A header, and a line for each row, by RFC 4180 in UTF-8."),
    ("application/x-ndjson", Format::JsonLines, "A JSON object a line, in UTF-8."),
];

/// What a request may take beyond the usual, because its body is a file.
pub(crate) fn patience(request: &Request, limits: &Limits) -> Duration {
    let is_file = request.method() == Method::POST && request.uri().path() == PATH;
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

impl<'a> ApiExtractor<'a> for Upload {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let media = |(content_type, _, about): &(&'static str, Format, &'static str)| {
            let schema = MetaSchema { description: Some(about), min_length: Some(1), ..MetaSchema::new("string") };
            MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) }
        };
        Some(MetaRequest { description: None, content: MEDIA.iter().map(media).collect(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Upload> {
        let given = request.header(header::CONTENT_TYPE).unwrap_or_default();
        let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let Some((_, format, _)) = MEDIA.iter().find(|(media, ..)| *media == given) else {
            let detail =
                "The body must be text/csv or application/x-ndjson in UTF-8, and its Content-Type must say which.";
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
