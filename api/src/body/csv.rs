//! A file of comma-separated values: whoever reads it says what its lines are.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::MetaRequest;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::upload::{self, Upload};

/// A request body that is a CSV, as long as a file may be.
pub(crate) struct Csv(pub(crate) Upload);

impl<'a> ApiExtractor<'a> for Csv {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(upload::request_meta(&[upload::CSV]))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> Result<Csv> {
        Upload::open(request, body, &[upload::CSV]).map(Csv)
    }
}
