//! `GET /api/v1/ledger/checkpoint`

use poem_openapi::OpenApi;

use super::signed::{Newest, UNSIGNED, last};
use crate::auth::{Caller, needs};
use crate::found::KnownTags;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetCheckpoint(pub(crate) State);

impl Operation for GetCheckpoint {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, UNSIGNED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetCheckpoint {
    /// Get the last checkpoint of the log
    ///
    /// A C2SP tlog-checkpoint, such as `bitnexus.example/main`, `700`, the root in base64, an empty line and a line for each
    /// signature. There is a new one at most a second after a transaction was recorded, and each continues the one before.
    #[oai(path = "/api/v1/ledger/checkpoint", method = "get", operation_id = "getCheckpoint")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
    ) -> Result<Newest, Failure<Self>> {
        let last = last(&mut *self.0.connection().await?, caller.0.book).await?;
        Ok(Newest::of(last.note, &known))
    }
}
