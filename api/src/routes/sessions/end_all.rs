//! `DELETE /api/v1/users/{id}/sessions`

use domain::UserId;
use domain::access::sessions;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::done::Done;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct EndAllSessions(pub(crate) State);

impl Operation for EndAllSessions {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl EndAllSessions {
    /// End all sessions of a user
    ///
    /// The caller's own, the current one too; an administrator ends anybody's. API keys go on.
    #[oai(path = "/api/v1/users/:id/sessions", method = "delete", operation_id = "endAllSessions")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        /// The user.
        id: Path<Id>,
    ) -> Result<Done, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        sessions::end_all(&mut tx, &caller.0, UserId(id.0.0)).await?;
        tx.commit().await?;
        self.0.tokens.forget(UserId(id.0.0));
        Ok(Done::Nothing)
    }
}
