//! `GET /api/v1/ledger/proofs/consistency`

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
use crate::views::proof::ConsistencyView;

pub(crate) struct ProveConsistency(pub(crate) State);

impl Operation for ProveConsistency {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, UNSIGNED, TOO_EARLY, refusals::ANY];
}

#[OpenApi(tag = "Tag::Ledger")]
impl ProveConsistency {
    /// Prove that the log only grew
    ///
    /// The hashes of RFC 6962, section 2.1.2: they show that the tree of `old` leaves is the beginning of the tree of `size`
    /// leaves, whose roots are those of the checkpoints that the caller has.
    #[oai(path = "/api/v1/ledger/proofs/consistency", method = "get", operation_id = "proveConsistency")]
    async fn call(
        &self,
        #[oai(scope = "needs::LEDGER_READ")] caller: Caller,
        known: KnownTags,
        /// The count of leaves of the smaller tree.
        old: Query<Integer<1, { i64::MAX }>>,
        /// The count of leaves of the larger tree; that of the last checkpoint if absent.
        size: Query<Option<Integer<1, { i64::MAX }>>>,
    ) -> Result<Found<ConsistencyView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let signed = last(&mut connection, caller.0.book).await?.size;
        let (old, size) = (old.0.0, size.0.map_or(signed, |size| size.0));
        if size > signed || (old > signed && size == signed) {
            return Err(not_signed_yet(format!("The last checkpoint covers {signed} leaves.")).into());
        }
        if old > size {
            return Err(Problem::parameter("old", "out_of_range", format!("This must be at most {size}.")).into());
        }
        let proof = log::consistency(&mut connection, caller.0.book, old as u64, size as u64).await.map_err(damaged)?;
        Ok(Found::of(&ConsistencyView::of(old, size, &proof), &known))
    }
}
