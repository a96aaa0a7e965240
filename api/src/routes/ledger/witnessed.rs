//! `GET /api/v1/ledger/checkpoint/witnessed`

use ledger::checkpoint::cosigned;
use poem::http::StatusCode;
use poem_openapi::OpenApi;

use super::checkpoint::Last;
use crate::auth::{Caller, needs};
use crate::found::KnownTags;
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetWitnessedCheckpoint(pub(crate) State);

const UNWITNESSED: &[Refusal] =
    &[Refusal { status: 404, code: "not_witnessed_yet", when: "No witness has signed a checkpoint yet." }];

impl Operation for GetWitnessedCheckpoint {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, UNWITNESSED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetWitnessedCheckpoint {
    /// Get the last checkpoint that witnesses signed
    ///
    /// The note as `/ledger/checkpoint` has it, with a line (C2SP tlog-cosignature) of each witness that signed it: somebody
    /// else vouches that the log only grew up to there. Where there are witnesses it is some seconds behind the last one.
    #[oai(path = "/api/v1/ledger/checkpoint/witnessed", method = "get", operation_id = "getWitnessedCheckpoint")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
    ) -> Result<Last, Failure<Self>> {
        let detail = "No witness has signed a checkpoint yet.";
        let last = cosigned::latest(&mut *self.0.connection().await?, caller.0.book).await?;
        let last = last.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "not_witnessed_yet", detail))?;
        Ok(Last::of(last.note, &known))
    }
}
