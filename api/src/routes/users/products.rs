//! `GET /api/v1/users/{id}/products`

use domain::products::{self, Filter};
use domain::{UserId, accounts};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use crate::auth::{Caller, needs};
use crate::body::text::{Id, Text};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct ListUserProducts(pub(crate) State);

impl Operation for ListUserProducts {
    const REFUSALS: &'static [&'static [Refusal]] =
        &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ONE, refusals::ANY];
}

#[OpenApi(tag = "Tag::Users")]
impl ListUserProducts {
    /// List what a user sells
    ///
    /// Oldest first. A caller of the role `user` finds only itself; `listProducts` shows everybody's.
    #[oai(path = "/api/v1/users/:id/products", method = "get", operation_id = "listUserProducts")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] caller: Caller,
        uri: &Uri,
        /// The user.
        id: Path<Id>,
        /// Only those with this code.
        sku: Query<Option<Text<1, 64>>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ProductView>, Failure<Self>> {
        let mut connection = self.0.connection().await?;
        let owner = accounts::find(&mut connection, &caller.0, UserId(id.0.0)).await?;
        let mut filter = Filter { owner: Some(owner.id), page: page(after.0, limit.0), ..Filter::default() };
        filter.sku = sku.0.map(Text::into_inner);
        let listed = products::list(&mut connection, &caller.0, &filter).await?;
        let products = listed.items.iter().map(ProductView::from).collect();
        let page = Page::of(products, listed.has_more, |product: &ProductView| IdCursor::encode(product.id));
        Ok(Listed::of(&page, uri))
    }
}
