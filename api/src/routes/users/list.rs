//! `GET /api/v1/users`

use domain::accounts::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::{Text, Time};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::{Role, UserStatus, UserView};

pub(crate) struct ListUsers(pub(crate) State);

impl Operation for ListUsers {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl ListUsers {
    /// List users
    ///
    /// Oldest first; only those that fit every filter given. A caller of the role `user` sees only itself.
    #[oai(path = "/api/v1/users", method = "get", operation_id = "listUsers")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_READ")] caller: Caller,
        uri: &Uri,
        /// Only the user with this address, without regard to case.
        email: Query<Option<Text<1, 254>>>,
        /// Only those whose name or address holds this text, without regard to case.
        q: Query<Option<Text<3, 100>>>,
        /// Only those of this role.
        role: Query<Option<Role>>,
        /// Only those of this status; without it, all but deleted ones.
        status: Query<Option<UserStatus>>,
        /// Only those created at this time or later.
        created_from: Query<Option<Time>>,
        /// Only those created before this time.
        created_to: Query<Option<Time>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<UserView>, Failure<Self>> {
        let filter = Filter {
            email: email.0.map(Text::into_inner),
            search: q.0.map(Text::into_inner),
            role: role.0.and_then(|role| domain::Role::parse(role.word())),
            status: status.0.map(|status| status.word().to_owned()),
            created_from: created_from.0.map(|Time(time)| time),
            created_to: created_to.0.map(|Time(time)| time),
            page: page(after.0, limit.0),
        };
        let (caller, filter) = (&caller.0, &filter);
        let listed =
            self.0.read_late(caller, |mut conn| async move { accounts::list(&mut conn, caller, filter).await });
        let listed = listed.await?;
        let users = listed.items.iter().map(UserView::from).collect();
        let page = Page::of(users, listed.has_more, |user: &UserView| IdCursor::encode(user.id));
        Ok(Listed::of(&page, uri))
    }
}
