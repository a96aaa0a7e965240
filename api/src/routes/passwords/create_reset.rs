//! `POST /api/v1/users/{id}/password-resets`

use chrono::{DateTime, Utc};
use domain::UserId;
use domain::access::resets;
use poem_openapi::param::Path;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct CreatePasswordReset(pub(crate) State);

impl Operation for CreatePasswordReset {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

/// Leave to set a new password, to be handed to the user.
#[derive(Debug, Object, Serialize)]
pub(crate) struct PasswordReset {
    /// What confirmPasswordReset takes, once; shown this once.
    token: String,
    /// From when on it is refused: 30 minutes from now.
    expires_at: DateTime<Utc>,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// The token.
    #[oai(status = 201)]
    Created(Reply<PasswordReset>),
}

#[OpenApi(tag = "Tag::Users")]
impl CreatePasswordReset {
    /// Make a token for a user's new password
    ///
    /// Takes the role `admin`, who hands it over. Each request makes another token; the first one that is used uses up all.
    #[oai(path = "/api/v1/users/:id/password-resets", method = "post", operation_id = "createPasswordReset")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_ADMIN")] caller: Caller,
        /// The user, who must be active.
        id: Path<Id>,
    ) -> Result<Response, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let made = resets::create(&mut tx, &caller.0, UserId(id.0.0)).await?;
        tx.commit().await?;
        let (token, expires_at) = (made.token.reveal().to_owned(), made.expires_at);
        Ok(Response::Created(Reply::of(&PasswordReset { token, expires_at })))
    }
}
