//! `PATCH /api/v1/webhooks/{id}`

use domain::webhooks::endpoints;
use poem_openapi::param::{Header, Path};
use poem_openapi::{ApiResponse, OpenApi};
use sqlx::Connection;

use super::{Kinds, kinds};
use crate::auth::{Caller, needs};
use crate::body::change::Change;
use crate::body::object::object;
use crate::body::text::{Id, Text};
use crate::body::{Body, Shape};
use crate::precondition::{self, IfMatch};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::{WebhookStatus, WebhookView};

pub(crate) struct UpdateWebhook(pub(crate) State);

impl Operation for UpdateWebhook {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::CONDITIONAL, refusals::BODY, refusals::ANY];
}

object! {
    /// What a webhook is to become; what is absent stays.
    pub(crate) struct WebhookChange {
        /// Where deliveries are posted.
        pub url: Option<Text<1, 2_000>>,
        /// What its owner calls it; null: nothing.
        pub description: Change<Text<1, 500>>,
        /// The kinds of event that are sent; empty: all.
        pub kinds: Option<Kinds>,
        /// Whether anything is sent. One that is enabled gets what happens from then on; what it missed can be replayed.
        pub status: Option<WebhookStatus>,
    }
    example { "kinds": ["transaction.recorded", "webhook.*"], "status": "enabled" }
}

impl Shape for WebhookChange {}

impl From<WebhookChange> for endpoints::Change {
    fn from(body: WebhookChange) -> endpoints::Change {
        endpoints::Change {
            url: body.url.map(Text::into_inner),
            description: body.description.map(Text::into_inner),
            kinds: body.kinds.map(kinds),
            is_enabled: body.status.map(|status| status == WebhookStatus::Enabled),
        }
    }
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The webhook as it is now.
    #[oai(status = 200)]
    Changed(
        Reply<WebhookView>,
        /// Changes whenever the webhook does.
        #[oai(header = "ETag")]
        String,
    ),
}

#[OpenApi(tag = "Tag::Webhooks")]
impl UpdateWebhook {
    /// Change, disable or enable a webhook
    ///
    /// The caller's own, or anybody's for staff. Deliveries that are under way go to the new address, or are cancelled if it is disabled.
    #[oai(path = "/api/v1/webhooks/:id", method = "patch", operation_id = "updateWebhook")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_WRITE")] caller: Caller,
        /// The webhook.
        id: Path<Id>,
        /// The webhook's `ETag`, as it was read: if it has changed since, nothing is done.
        #[oai(name = "If-Match")]
        if_match: Header<Option<IfMatch>>,
        body: Body<WebhookChange>,
    ) -> Result<Response, Failure<Self>> {
        let tag = precondition::required(if_match.0)?;
        let change = endpoints::Change::from(body.value);
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let before = endpoints::find_locked(&mut tx, &caller.0, id.0.0).await?;
        if !tag.holds(&WebhookView::from(&before)) {
            return Err(domain::Error::Stale.into());
        }
        let now = endpoints::change(&mut tx, &caller.0, &before, &change, &self.0.limits.webhook_reach).await?;
        tx.commit().await?;
        let reply = Reply::of(&WebhookView::from(&now));
        let tag = reply.tag();
        Ok(Response::Changed(reply, tag))
    }
}
