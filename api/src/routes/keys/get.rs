//! `GET /api/v1/api-keys/{id}`

use domain::access::keys;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::key::ApiKeyView;

pub(crate) struct GetApiKey(pub(crate) State);

impl Operation for GetApiKey {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl GetApiKey {
    /// Get an API key
    ///
    /// Without the key itself. One of the caller's own; an administrator sees anybody's.
    #[oai(path = "/api/v1/api-keys/:id", method = "get", operation_id = "getApiKey")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        known: KnownTags,
        /// The API key.
        id: Path<Id>,
    ) -> Result<Found<ApiKeyView>, Failure<Self>> {
        let key = keys::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        Ok(Found::of(&ApiKeyView::from(&key), &known))
    }
}
