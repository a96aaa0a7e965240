//! `POST /api/v1/users/process`

use jobs::process_users::{self, Asked};
use jobs::submitted::Submitted;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;
use serde_json::{Value, json};

use crate::accepted::Accepted;
use crate::auth::{Caller, needs};
use crate::body::choice::choice;
use crate::body::object::object;
use crate::body::{Body, Shape};
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ProcessUsers(pub(crate) State);

impl Operation for ProcessUsers {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::BODY, refusals::IDEMPOTENT, refusals::ANY];
}

choice! {
    /// What is done to each user.
    pub(crate) enum UserOperation {
        /// Its products and transactions are counted anew.
        Recount = "recount",
        /// Its wallets that are not open are opened.
        OpenMissingWallets = "open_missing_wallets",
    }
}

object! {
    /// What is to be done to all users.
    pub(crate) struct NewProcessing {
        /// What is done to each of them.
        pub operation: UserOperation,
    }
    example { "operation": "recount" }
}

impl Shape for NewProcessing {}

#[OpenApi(tag = "Tag::Users")]
impl ProcessUsers {
    /// Process all users
    ///
    /// Takes the role `admin`. A job goes through all users of the book, at most ten at a time; one that fails does not stop the
    /// others. The job's progress and result are `processed`, `failed` and the first hundred `failures` with their reasons.
    #[oai(path = "/api/v1/users/process", method = "post", operation_id = "processUsers")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key and body get the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
        body: Body<NewProcessing>,
    ) -> Result<Accepted, Failure<Self>> {
        let operation = match body.value.operation {
            UserOperation::Recount => process_users::Operation::Recount,
            UserOperation::OpenMissingWallets => process_users::Operation::OpenMissingWallets,
        };
        let repeatable = repeatable(key.0, "POST /api/v1/users/process", body.fingerprint, kept);
        let (state, Caller(principal)) = (&self.0, caller);
        let submitted =
            process_users::submit(&state.pool, &state.notifier, &principal, operation, repeatable.as_ref()).await?;
        Ok(match submitted {
            Submitted::Done(asked) => Accepted::of(asked.job_id, false),
            Submitted::Replayed(kept) => Accepted::kept(&kept),
        })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an operation may keep nothing")]
fn kept(asked: &Asked) -> Option<Value> {
    Some(json!({ "job_id": asked.job_id }))
}
