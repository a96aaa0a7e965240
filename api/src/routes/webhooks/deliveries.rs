//! `GET /api/v1/webhooks/{id}/deliveries`

use domain::webhooks::deliveries::{self, Filter};
use domain::webhooks::endpoints;
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::{DeliveryStatus, DeliveryView};

pub(crate) struct ListWebhookDeliveries(pub(crate) State);

impl Operation for ListWebhookDeliveries {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl ListWebhookDeliveries {
    /// List what was delivered to a webhook
    ///
    /// The latest events first. Deliveries are kept for 30 days.
    #[oai(path = "/api/v1/webhooks/:id/deliveries", method = "get", operation_id = "listWebhookDeliveries")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_READ")] caller: Caller,
        uri: &Uri,
        /// The webhook.
        id: Path<Id>,
        /// Only those that are there.
        status: Query<Option<DeliveryStatus>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<DeliveryView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let endpoint = endpoints::find(&mut connection, &caller.0, id.0.0).await?;
        let filter = Filter { status: status.0.map(DeliveryStatus::status), page: page(after.0, limit.0) };
        let listed = deliveries::list(&mut connection, &caller.0, &endpoint, &filter).await?;
        let views = listed.items.iter().map(DeliveryView::from).collect();
        let page = Page::of(views, listed.has_more, |delivery: &DeliveryView| IdCursor::encode(delivery.id));
        Ok(Listed::of(&page, uri))
    }
}
