//! `POST /api/v1/products/{id}/categorize`

use domain::ProductId;
use jobs::categorize;
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path};
use sha2::{Digest, Sha256};

use crate::accepted::{self, Accepted};
use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::idempotency::{IdempotencyKey, repeatable};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;

pub(crate) struct CategorizeProduct(pub(crate) State);

impl Operation for CategorizeProduct {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::ONE, refusals::IDEMPOTENT, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Products")]
impl CategorizeProduct {
    /// Categorise a product
    ///
    /// The caller's own, or anybody's for staff. By the rules; what a person said stays.
    #[oai(path = "/api/v1/products/:id/categorize", method = "post", operation_id = "categorizeProduct")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_WRITE")] caller: Caller,
        /// The product.
        id: Path<Id>,
        /// Makes the request safe to repeat: the same key gets the same answer.
        #[oai(name = "Idempotency-Key")]
        key: Header<Option<IdempotencyKey>>,
    ) -> Result<Accepted, Failure<Self>> {
        let repeatable = repeatable(
            key.0,
            "POST /api/v1/products/{id}/categorize",
            Sha256::digest(id.0.0.as_bytes()).into(),
            accepted::keep,
        );
        let state = &self.0;
        let submitted = categorize::submit_again(
            &state.pool,
            &state.notifier,
            &caller.0,
            Some(ProductId(id.0.0)),
            repeatable.as_ref(),
        )
        .await?;
        Ok(Accepted::by(&submitted))
    }
}
