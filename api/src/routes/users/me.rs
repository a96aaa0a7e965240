//! `GET /api/v1/users/me`

use domain::accounts;
use poem_openapi::OpenApi;

use crate::auth::{Caller, needs};
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::user::UserView;

pub(crate) struct GetMe(pub(crate) State);

impl Operation for GetMe {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl GetMe {
    /// Get the caller
    ///
    /// The user whose token it is, as getUser shows it.
    #[oai(path = "/api/v1/users/me", method = "get", operation_id = "getMe")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_READ")] caller: Caller,
        known: KnownTags,
    ) -> Result<Found<UserView>, Failure<Self>> {
        let user = accounts::find(&mut *self.0.connection().await?, &caller.0, caller.0.user_id).await?;
        Ok(Found::of(&UserView::from(&user), &known))
    }
}
