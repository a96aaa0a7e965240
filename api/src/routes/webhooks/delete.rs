//! `DELETE /api/v1/webhooks/{id}`

use domain::webhooks::endpoints;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::done::Done;
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::WebhookView;

pub(crate) struct DeleteWebhook(pub(crate) State);

impl Operation for DeleteWebhook {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::CONDITIONAL, refusals::ANY];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl DeleteWebhook {
    /// Delete a webhook
    ///
    /// The caller's own, or anybody's for staff. What is on its way to it is not sent any more, and its deliveries are not shown any more.
    #[oai(path = "/api/v1/webhooks/:id", method = "delete", operation_id = "deleteWebhook")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        /// The webhook.
        id: Path<Id>,
        /// The webhook's `ETag`, as it was read: if it has changed since, nothing is done.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
    ) -> Result<Done, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let endpoint = endpoints::find_locked(&mut tx, &caller.0, id.0.0).await?;
        if !tag.holds(&WebhookView::from(&endpoint)) {
            return Err(domain::Error::Stale.into());
        }
        endpoints::remove(&mut tx, &caller.0, &endpoint).await?;
        tx.commit().await?;
        Ok(Done::Nothing)
    }
}
