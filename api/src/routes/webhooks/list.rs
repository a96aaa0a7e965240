//! `GET /api/v1/webhooks`

use domain::UserId;
use domain::webhooks::endpoints::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::webhook::WebhookView;

pub(crate) struct ListWebhooks(pub(crate) State);

impl Operation for ListWebhooks {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Webhooks")]
impl ListWebhooks {
    /// List webhooks
    ///
    /// The caller's own, or everybody's for staff, oldest first, without their secrets.
    #[oai(path = "/api/v1/webhooks", method = "get", operation_id = "listWebhooks")]
    async fn call(
        &self,
        #[oai(scope = "needs::WEBHOOKS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those of this user.
        user_id: Query<Option<Id>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<WebhookView>, Failure<Self>> {
        let filter = Filter { owner: user_id.0.map(|Id(id)| UserId(id)), page: page(after.0, limit.0) };
        let (caller, filter) = (&caller.0, &filter);
        let listed =
            self.0.read_late(caller, |mut conn| async move { Ok(endpoints::list(&mut conn, caller, filter).await?) });
        let listed = listed.await?;
        let views = listed.items.iter().map(WebhookView::from).collect();
        let page = Page::of(views, listed.has_more, |webhook: &WebhookView| IdCursor::encode(webhook.id));
        Ok(Listed::of(&page, uri))
    }
}
