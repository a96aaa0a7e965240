//! `GET /api/v1/users/{id}`

use domain::{UserId, accounts};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::UserView;

pub(crate) struct GetUser(pub(crate) State);

impl Operation for GetUser {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl GetUser {
    /// Get a user
    ///
    /// A caller of the role `user` finds only itself.
    #[oai(path = "/api/v1/users/:id", method = "get", operation_id = "getUser")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_READ")] caller: Caller,
        known: KnownTags,
        /// The user.
        id: Path<Id>,
    ) -> Result<Found<UserView>, Failure<Self>> {
        let user = accounts::find(&mut *self.0.connection().await?, &caller.0, UserId(id.0.0)).await?;
        Ok(Found::of(&UserView::from(&user), &known))
    }
}
