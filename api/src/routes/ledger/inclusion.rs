//! `GET /api/v1/ledger/proofs/inclusion`

use ledger::log;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use super::signed::{TOO_EARLY, UNSIGNED, damaged, last, not_signed_yet};
use crate::auth::{Caller, needs};
use crate::body::integer::Integer;
use crate::found::{Found, KnownTags};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::proof::InclusionView;

pub(crate) struct ProveInclusion(pub(crate) State);

impl Operation for ProveInclusion {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, UNSIGNED, TOO_EARLY, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl ProveInclusion {
    /// Prove that a leaf is in the log
    ///
    /// The hashes of RFC 6962, section 2.1.1, the lowest first, from the hash of the leaf to the root of the log at that size.
    #[oai(path = "/api/v1/ledger/proofs/inclusion", method = "get", operation_id = "proveInclusion")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
        /// The place of the leaf, from 0: the `seq` of its transaction.
        index: Query<Integer<0, { i64::MAX }>>,
        /// The count of leaves of the tree that it is to be shown in; that of the last checkpoint if absent.
        size: Query<Option<Integer<1, { i64::MAX }>>>,
    ) -> Result<Found<InclusionView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let signed = last(&mut connection, caller.0.book).await?.size;
        let (index, size) = (index.0.0, size.0.map_or(signed, |size| size.0));
        if size > signed || (index >= signed && size == signed) {
            return Err(not_signed_yet(format!("The last checkpoint covers {signed} leaves.")).into());
        }
        if index >= size {
            return Err(Problem::parameter("index", "out_of_range", format!("This must be below {size}.")).into());
        }
        let proof = log::inclusion(&mut connection, caller.0.book, index as u64, size as u64).await.map_err(damaged)?;
        Ok(Found::of(&InclusionView::of(index, size, &proof), &known))
    }
}
