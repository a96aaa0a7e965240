//! `DELETE /api/v1/sessions/{id}`

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

pub(crate) struct EndSession(pub(crate) State);

impl Operation for EndSession {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl EndSession {
    /// End a session
    ///
    /// One of the caller's own; an administrator ends anybody's. One that has ended stays so.
    #[oai(path = "/api/v1/sessions/:id", method = "delete", operation_id = "endSession")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        /// The session.
        id: Path<Id>,
    ) -> Result<Done, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let owner = sessions::end(&mut tx, &caller.0, id.0.0).await?;
        tx.commit().await?;
        self.0.tokens.forget(owner);
        Ok(Done::Nothing)
    }
}
