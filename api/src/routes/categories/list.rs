//! `GET /api/v1/categories`

use domain::products::categories;
use poem::http::Uri;
use poem_openapi::OpenApi;

use crate::auth::{Caller, needs};
use crate::page::{Listed, Page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::category::CategoryView;

pub(crate) struct ListCategories(pub(crate) State);

impl Operation for ListCategories {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Categories")]
impl ListCategories {
    /// List categories
    ///
    /// The whole tree, in one page, by number: there are 1,000 at most.
    #[oai(path = "/api/v1/categories", method = "get", operation_id = "listCategories")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] _caller: Caller,
        uri: &Uri,
    ) -> Result<Listed<CategoryView>, Failure<Self>> {
        let categories = categories::list(&mut *self.0.connection().await?).await?;
        let page =
            Page { items: categories.iter().map(CategoryView::from).collect(), next_cursor: None, has_more: false };
        Ok(Listed::of(&page, uri))
    }
}
