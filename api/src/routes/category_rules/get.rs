//! `GET /api/v1/category-rules/{id}`

use domain::products::rules;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::{RuleNumber, rule_id};
use crate::auth::{Caller, needs};
use crate::found::{Found, KnownTags};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::RuleView;

pub(crate) struct GetCategoryRule(pub(crate) State);

impl Operation for GetCategoryRule {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Categories")]
impl GetCategoryRule {
    /// Get a category rule
    #[oai(path = "/api/v1/category-rules/:id", method = "get", operation_id = "getCategoryRule")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] _caller: Caller,
        known: KnownTags,
        /// The rule.
        id: Path<RuleNumber>,
    ) -> Result<Found<RuleView>, Failure<Self>> {
        let rule = rules::find(&mut *self.0.connection().await?, rule_id(id.0)).await?;
        Ok(Found::of(&RuleView::from(&rule), &known))
    }
}
