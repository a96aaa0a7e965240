//! `GET /api/v1/users`

use domain::accounts::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::Text;
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::UserView;

pub(crate) struct ListUsers(pub(crate) State);

impl Operation for ListUsers {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl ListUsers {
    /// List users
    ///
    /// Oldest first. A caller of the role `user` sees only itself.
    #[oai(path = "/api/v1/users", method = "get", operation_id = "listUsers")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_READ")] caller: Caller,
        uri: &Uri,
        /// Only the user with this address, without regard to case.
        email: Query<Option<Text<1, 254>>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<UserView>, Failure<Self>> {
        let filter = Filter { email: email.0.map(Text::into_inner), page: page(after.0, limit.0) };
        let listed = accounts::list(&mut *self.0.late_connection(&caller.0).await?, &caller.0, &filter).await?;
        let users = listed.items.iter().map(UserView::from).collect();
        let page = Page::of(users, listed.has_more, |user: &UserView| IdCursor::encode(user.id));
        Ok(Listed::of(&page, uri))
    }
}
