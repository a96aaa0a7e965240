//! `DELETE /api/v1/sessions/current`

use domain::access::sessions;
use poem_openapi::OpenApi;
use sqlx::Connection;

use crate::auth::{Caller, needs};
use crate::done::Done;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct EndCurrentSession(pub(crate) State);

impl Operation for EndCurrentSession {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        &[Refusal { status: 404, code: "not_found", when: "The request was made with an API key." }],
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Sessions")]
impl EndCurrentSession {
    /// Log out
    ///
    /// Ends the session whose token the request has.
    #[oai(path = "/api/v1/sessions/current", method = "delete", operation_id = "endCurrentSession")]
    async fn call(&self, #[oai(scope = "needs::CREDENTIALS_WRITE")] caller: Caller) -> Result<Done, Failure<Self>> {
        let current = caller.0.session().ok_or_else(Problem::not_found)?;
        let mut connection = self.0.connection().await?;
        let mut tx = connection.begin().await?;
        let owner = sessions::end(&mut tx, &caller.0, current).await?;
        tx.commit().await?;
        self.0.tokens.forget(owner);
        Ok(Done::Nothing)
    }
}
