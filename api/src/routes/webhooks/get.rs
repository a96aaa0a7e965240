//! `GET /api/v1/webhooks/{id}`

use domain::webhooks::endpoints;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::WebhookView;

pub(crate) struct GetWebhook(pub(crate) State);

impl Operation for GetWebhook {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl GetWebhook {
    /// Get a webhook
    ///
    /// The caller's own, or anybody's for staff, without its secret.
    #[oai(path = "/api/v1/webhooks/:id", method = "get", operation_id = "getWebhook")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_READ")] caller: Caller,
        known: KnownTags,
        /// The webhook.
        id: Path<Id>,
    ) -> Result<Found<WebhookView>, Failure<Self>> {
        let endpoint = endpoints::find(&mut *self.0.connection().await?, &caller.0, id.0.0).await?;
        Ok(Found::of(&WebhookView::from(&endpoint), &known))
    }
}
