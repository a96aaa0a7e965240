//! `GET /api/v1/products`

use domain::UserId;
use domain::products::{self, Filter};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use crate::auth::{Caller, needs};
use crate::body::text::{Id, Text};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct ListProducts(pub(crate) State);

impl Operation for ListProducts {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

#[OpenApi(tag = "Tag::Products")]
impl ListProducts {
    /// List products
    ///
    /// Oldest first, everybody's, as in a shop.
    #[oai(path = "/api/v1/products", method = "get", operation_id = "listProducts")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those of this user.
        owner_id: Query<Option<Id>>,
        /// Only those with this code.
        sku: Query<Option<Text<1, 64>>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<IdCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ProductView>, Failure<Self>> {
        let (owner, sku) = (owner_id.0.map(|Id(id)| UserId(id)), sku.0.map(Text::into_inner));
        let filter = Filter { owner, sku, page: page(after.0, limit.0) };
        let listed = products::list(&mut *self.0.late_connection(&caller.0).await?, &caller.0, &filter).await?;
        let products = listed.items.iter().map(ProductView::from).collect();
        let page = Page::of(products, listed.has_more, |product: &ProductView| IdCursor::encode(product.id));
        Ok(Listed::of(&page, uri))
    }
}
