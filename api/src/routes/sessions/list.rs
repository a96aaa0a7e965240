//! `GET /api/v1/users/{id}/sessions`

use domain::UserId;
use domain::access::sessions::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::session::SessionView;

pub(crate) struct ListSessions(pub(crate) State);

impl Operation for ListSessions {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl ListSessions {
    /// List a user's sessions
    ///
    /// Those that have not ended, oldest first. Everybody's own; an administrator sees anybody's.
    #[oai(path = "/api/v1/users/:id/sessions", method = "get", operation_id = "listSessions")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        uri: &Uri,
        /// The user.
        id: Path<Id>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<SessionView>, Failure<Self>> {
        let filter = Filter { user: UserId(id.0.0), page: page(after.0, limit.0) };
        let listed = sessions::list(&mut *self.0.connection().await?, &caller.0, &filter).await?;
        let current = caller.0.session();
        let views = listed.items.iter().map(|session| SessionView::of(session, current)).collect();
        let page = Page::of(views, listed.has_more, |session: &SessionView| IdCursor::encode(session.id));
        Ok(Listed::of(&page, uri))
    }
}
