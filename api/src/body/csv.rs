//! A body of comma-separated values, as bytes: whoever reads it says what its lines are.

use hyper::body::Bytes;
use poem::http::{StatusCode, header};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::receive;
use crate::edge::Context;
use crate::problem::Problem;

/// A CSV request body, as long as a batch may be.
pub(crate) struct Csv(pub(crate) Bytes);

impl<'a> ApiExtractor<'a> for Csv {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        let schema = MetaSchema { description: Some("Lines of comma-separated values."), ..MetaSchema::new("string") };
        let schema = MetaSchemaRef::Inline(Box::new(schema));
        let content = vec![MetaMediaType { content_type: "text/csv", schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Csv> {
        let given = request.header(header::CONTENT_TYPE).unwrap_or_default();
        let media = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media != "text/csv" {
            let detail = "The body must be text/csv in UTF-8, and its Content-Type must say so.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into());
        }
        let context = Context::from(request);
        Ok(Csv(receive(body.take()?, &context.state.limits, true).await?))
    }
}
