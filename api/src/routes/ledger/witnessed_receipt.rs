//! `GET /api/v1/ledger/receipts/{id}/witnessed`

use ledger::{TransactionId, receipt};
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::receipt::{UNRECORDED, may_see, refused};
use super::signed::{Newest, UNWITNESSED, Witnesses, at_least};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::KnownTags;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetWitnessedReceipt(pub(crate) State);

impl Operation for GetWitnessedReceipt {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, UNRECORDED, UNWITNESSED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetWitnessedReceipt {
    /// Get the receipt of a transaction under a witnessed checkpoint
    ///
    /// As `/ledger/receipts/{id}`, but under the last checkpoint that witnesses signed, with a line (C2SP tlog-cosignature) of each
    /// that did: one text proves that the transaction is in the log and that somebody else vouches for the log. It is there some
    /// seconds after the transaction was recorded, where there are witnesses.
    #[oai(path = "/api/v1/ledger/receipts/:id/witnessed", method = "get", operation_id = "getWitnessedReceipt")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
        /// The transaction.
        id: Path<Id>,
        /// How many witnesses have to have signed the checkpoint, at least; 1 if absent.
        witnesses: Query<Option<Witnesses>>,
    ) -> Result<Newest, Failure<Self>> {
        let (mut connection, id) = (self.0.connection().await?, TransactionId(id.0.0));
        let is_known = may_see(&mut connection, &caller.0, id).await?;
        let wanted = at_least(witnesses.0);
        let receipt = receipt::make_witnessed(&mut connection, caller.0.book, id, wanted).await;
        let receipt = receipt.map_err(|error| refused(error, is_known))?;
        Ok(Newest::of(receipt.to_text(), &known))
    }
}
