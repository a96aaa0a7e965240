//! `GET /api/v1/ledger/checkpoint/witnessed`

use ledger::checkpoint::cosigned;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use super::signed::{Newest, UNWITNESSED, Witnesses, at_least, not_witnessed_yet};
use crate::auth::{Caller, needs};
use crate::found::KnownTags;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetWitnessedCheckpoint(pub(crate) State);

impl Operation for GetWitnessedCheckpoint {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, UNWITNESSED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetWitnessedCheckpoint {
    /// Get the last checkpoint that witnesses signed
    ///
    /// The note as `/ledger/checkpoint` has it, with a line (C2SP tlog-cosignature) of each witness that signed it: somebody
    /// else vouches that the log only grew up to there. Where there are witnesses it is some seconds behind the last one. Whoever trusts
    /// no single witness asks for several.
    #[oai(path = "/api/v1/ledger/checkpoint/witnessed", method = "get", operation_id = "getWitnessedCheckpoint")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
        /// How many witnesses have to have signed it, at least; 1 if absent.
        witnesses: Query<Option<Witnesses>>,
    ) -> Result<Newest, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let last = cosigned::latest(&mut connection, caller.0.book, at_least(witnesses.0)).await?;
        let last =
            last.ok_or_else(|| not_witnessed_yet("No checkpoint has the signatures of so many witnesses yet."))?;
        Ok(Newest::of(last.note, &known))
    }
}
