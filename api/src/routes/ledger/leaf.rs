//! `GET /api/v1/ledger/receipts/{id}/leaf`

use ledger::{TransactionId, log};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::receipt::{UNRECORDED, may_see, not_recorded};
use super::signed::Immutable;
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct GetLeaf(pub(crate) State);

impl Operation for GetLeaf {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, UNRECORDED, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl GetLeaf {
    /// Get the leaf that a receipt proves
    ///
    /// The transaction in the canonical encoding, byte for byte as it is hashed into the log.
    #[oai(path = "/api/v1/ledger/receipts/:id/leaf", method = "get", operation_id = "getLeaf")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        /// The transaction.
        id: Path<Id>,
    ) -> Result<Immutable, Failure<Self>> {
        let (mut connection, id) = (self.0.connection().await?, TransactionId(id.0.0));
        let is_known = may_see(&mut connection, &caller.0, id).await?;
        let leaf = log::leaf(&mut connection, caller.0.book, id).await?;
        Ok(Immutable::of(leaf.ok_or_else(|| not_recorded(is_known))?))
    }
}
