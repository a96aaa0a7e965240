//! `POST /api/v1/products/categorize`

use jobs::categorize;
use poem_openapi::OpenApi;
use poem_openapi::param::Header;

use crate::accepted::{self, Accepted};
use crate::auth::{Caller, needs};

use crate::idempotency::{IdempotencyKey, NO_BODY, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct CategorizeProducts(pub(crate) State);

impl Operation for CategorizeProducts {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::IDEMPOTENT, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Products")]
impl CategorizeProducts {
    /// Categorise all products
    ///
    /// By the rules as they are when the job gets to a product; what a person said stays. The job has its progress.
    #[oai(path = "/api/v1/products/categorize", method = "post", operation_id = "categorizeProducts")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_ADMIN")] caller: Caller,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Accepted, Failure<Self>> {
        let repeatable = repeatable(key.0, "POST /api/v1/products/categorize", NO_BODY, accepted::keep);
        let state = &self.0;
        let submitted =
            categorize::submit_again(&state.pool, &state.notifier, &caller.0, None, repeatable.as_ref()).await?;
        Ok(Accepted::by(&submitted))
    }
}
