//! `GET /api/v1/category-rules`

use domain::products::rules;
use poem::http::Uri;
use poem_openapi::OpenApi;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::RuleView;

pub(crate) struct ListCategoryRules(pub(crate) State);

impl Operation for ListCategoryRules {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Categories")]
impl ListCategoryRules {
    /// List category rules
    ///
    /// All of them, in one page, in the order that they are tried in: there are 1,000 at most.
    #[oai(path = "/api/v1/category-rules", method = "get", operation_id = "listCategoryRules")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] _caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<RuleView>, Failure<Self>> {
        let rules = rules::list(&mut *self.0.connection().await?).await?;
        let page = Page { items: rules.iter().map(RuleView::from).collect(), next_cursor: None, has_more: false };
        Ok(Listed::of(&page, uri))
    }
}
