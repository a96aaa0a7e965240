//! `DELETE /api/v1/api-keys/{id}`

use domain::access::keys;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::done::Done;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct RevokeApiKey(pub(crate) State);

impl Operation for RevokeApiKey {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Sessions")]
impl RevokeApiKey {
    /// Withdraw an API key
    ///
    /// At once and in every process. One of the caller's own; an administrator withdraws anybody's.
    #[oai(path = "/api/v1/api-keys/:id", method = "delete", operation_id = "revokeApiKey")]
    async fn call(
        &self,
        #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller,
        /// The API key.
        id: Path<Id>,
    ) -> Result<Done, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let owner = keys::revoke(&mut tx, &caller.0, id.0.0).await?;
        tx.commit().await?;
        self.0.tokens.forget(owner);
        Ok(Done::Nothing)
    }
}
