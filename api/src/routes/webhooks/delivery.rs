//! `GET /api/v1/webhook-deliveries/{id}`

use domain::webhooks::{attempts, deliveries};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::DeliveryDetailView;

pub(crate) struct GetWebhookDelivery(pub(crate) State);

impl Operation for GetWebhookDelivery {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl GetWebhookDelivery {
    /// Get a delivery
    ///
    /// With what is posted, and each attempt: when, for how long, and the beginning of what the webhook answered.
    #[oai(path = "/api/v1/webhook-deliveries/:id", method = "get", operation_id = "getWebhookDelivery")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_READ")] caller: Caller,
        known: KnownTags,
        /// The delivery.
        id: Path<Id>,
    ) -> Result<Found<DeliveryDetailView>, Failure<Self>> {
        let (mut connection, shard) = (self.0.connection().await?, caller.0.book.shard);
        let delivery = deliveries::find(&mut connection, &caller.0, id.0.0).await?;
        let body = deliveries::body_of(&mut connection, shard, delivery.id).await?;
        let attempts = attempts::list(&mut connection, shard, delivery.id).await?;
        Ok(Found::of(&DeliveryDetailView::of(&delivery, &body, &attempts), &known))
    }
}
