//! `GET /api/v1/categories/{id}`

use domain::products::categories;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::CategoryNumber;
use crate::auth::{Caller, needs};
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::CategoryView;

pub(crate) struct GetCategory(pub(crate) State);

impl Operation for GetCategory {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Categories")]
impl GetCategory {
    /// Get a category
    #[oai(path = "/api/v1/categories/:id", method = "get", operation_id = "getCategory")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] _caller: Caller,
        known: KnownTags,
        /// The category.
        id: Path<CategoryNumber>,
    ) -> Result<Found<CategoryView>, Failure<Self>> {
        let category = categories::find(&mut *self.0.connection().await?, id.0.into()).await?;
        Ok(Found::of(&CategoryView::from(&category), &known))
    }
}
