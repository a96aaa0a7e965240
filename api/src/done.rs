//! The answer to a request that leaves nothing to show.

use poem_openapi::ApiResponse;

/// It was done.
#[derive(ApiResponse)]
pub(crate) enum Done {
    /// It was done; there is nothing to show.
    #[oai(status = 204)]
    Nothing,
}
