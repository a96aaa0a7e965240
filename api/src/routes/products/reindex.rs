//! `POST /api/v1/products/reindex`

use jobs::reindex;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;

use crate::accepted::{self, Accepted};
use crate::auth::{Caller, needs};

use crate::idempotency::{IdempotencyKey, NO_BODY, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct ReindexProducts(pub(crate) State);

impl Operation for ReindexProducts {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::IDEMPOTENT, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Products")]
impl ReindexProducts {
    /// Make search data anew
    ///
    /// What products are found by is always up to date. This counts how often each word occurs, forgets words that no product has any more, and
    /// goes through products of an earlier release. It happens once a day by itself. If a run is under way, that is the one to follow.
    #[oai(path = "/api/v1/products/reindex", method = "post", operation_id = "reindexProducts")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Accepted, Failure<Self>> {
        let repeatable = repeatable(key.0, "POST /api/v1/products/reindex", NO_BODY, accepted::keep);
        let state = &self.0;
        let submitted = reindex::submit(&state.pool, &state.notifier, &caller.0, repeatable.as_ref()).await?;
        Ok(Accepted::by(&submitted))
    }
}
