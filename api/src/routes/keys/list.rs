//! `GET /api/v1/api-keys`

use domain::UserId;
use domain::access::keys::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::key::ApiKeyView;

pub(crate) struct ListApiKeys(pub(crate) State);

impl Operation for ListApiKeys {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl ListApiKeys {
    /// List API keys
    ///
    /// The caller's own, oldest first, withdrawn ones too, without the keys themselves.
    #[oai(path = "/api/v1/api-keys", method = "get", operation_id = "listApiKeys")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        uri: &Uri,
        /// Those of this user instead; for an administrator.
        user_id: Query<Option<Id>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ApiKeyView>, Failure<Self>> {
        let user = user_id.0.map_or(caller.0.user_id, |Id(id)| UserId(id));
        let filter = Filter { user, page: page(after.0, limit.0) };
        let listed = keys::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        let views = listed.items.iter().map(ApiKeyView::from).collect();
        let page = Page::of(views, listed.has_more, |key: &ApiKeyView| IdCursor::encode(key.id));
        Ok(Listed::of(&page, uri))
    }
}
