//! `GET /api/v1/products/{id}`

use domain::{ProductId, products};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use crate::auth::{Caller, needs};
use crate::body::text::Id;
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct GetProduct(pub(crate) State);

impl Operation for GetProduct {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Products")]
impl GetProduct {
    /// Get a product
    ///
    /// Every caller of a book sees all its products.
    #[oai(path = "/api/v1/products/:id", method = "get", operation_id = "getProduct")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] caller: Caller,
        known: KnownTags,
        /// The product.
        id: Path<Id>,
    ) -> Result<Found<ProductView>, Failure<Self>> {
        let product = products::find(&mut *self.0.connection().await?, &caller.0, ProductId(id.0.0)).await?;
        Ok(Found::of(&ProductView::from(&product), &known))
    }
}
