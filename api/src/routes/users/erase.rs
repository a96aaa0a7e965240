//! `POST /api/v1/users/{id}/erase`

use domain::UserId;
use jobs::erase_user::{self, Asked};
use jobs::submitted::Submitted;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accepted::Accepted;
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct EraseUser(pub(crate) State);

impl Operation for EraseUser {
    const REFUSALS: &'static [&'static [Refusal]] = &[
        refusals::SIGNED_IN,
        refusals::PARAMETERS,
        refusals::ONE,
        refusals::IDEMPOTENT,
        &[Refusal { status: 409, code: "own_account", when: "Nobody erases themselves." }],
        refusals::ANY,
    ];
}

#[OpenApi(tag = "Tag::Users")]
impl EraseUser {
    /// Erase a user
    ///
    /// Takes the role `admin`; it cannot be taken back. A job removes everything personal: name, address, country, password, sessions, keys,
    /// kept answers, the words of the user's transactions. What moved money stays, under an id that means nobody, so balances and proofs stay
    /// as they are. The job waits until nothing of the user's is still to be recorded.
    #[oai(path = "/api/v1/users/:id/erase", method = "post", operation_id = "eraseUser")]
    async fn call(
        &self,
        #[oai(scope = "needs::USERS_ADMIN")] caller: Caller,
        /// The user.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key for the same user gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Accepted, Failure<Self>> {
        let user = UserId(id.0.0);
        let fingerprint = Sha256::digest(user.to_string()).into();
        let repeatable = repeatable(key.0, "POST /api/v1/users/{id}/erase", fingerprint, kept);
        let (state, Caller(principal)) = (&self.0, caller);
        let submitted = erase_user::submit(&state.pool, &state.notifier, &principal, user, repeatable.as_ref()).await?;
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
