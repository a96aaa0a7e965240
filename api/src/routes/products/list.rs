//! `GET /api/v1/products`

use domain::UserId;
use domain::products::{self, CategoryId, Filter, Product, Sort};
use poem::http::Uri;
use poem_openapi::OpenApi;
use poem_openapi::param::Query;

use super::cursor::{After, ListCursor};
use super::filter::{self, Shown};
use crate::auth::{Caller, needs};
use crate::body::choice::choice;
use crate::body::money::{AmountText, CurrencyCode};
use crate::body::text::{Id, Text, Time};
use crate::page::{IdCursor, Limit, Listed, Page, page};
use crate::problem::Problem;
use crate::reply::{Failure, Operation, Refusal, refusals};
use crate::routes::Tag;
use crate::routes::categories::CategoryNumber;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct ListProducts(pub(crate) State);

impl Operation for ListProducts {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

choice! {
    /// The order of a list of products.
    enum Order {
        /// By creation.
        Oldest = "oldest",
        /// By creation, the last one first.
        Newest = "newest",
        /// By price.
        Price = "price",
        /// By price, the highest first.
        PriceDesc = "price_desc",
    }
}

#[OpenApi(tag = "Tag::Products")]
impl ListProducts {
    /// List products
    ///
    /// Everybody's, as in a shop; without those that are archived, unless they are asked for. To find some by words, search.
    #[oai(path = "/api/v1/products", method = "get", operation_id = "listProducts")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] caller: Caller,
        uri: &Uri,
        /// Only those of this user.
        owner_id: Query<Option<Id>>,
        /// Only those with this code.
        sku: Query<Option<Text<1, 64>>>,
        /// Only those of this status; `active` if absent.
        status: Query<Option<Shown>>,
        /// Only those of this category or of one below it.
        category_id: Query<Option<CategoryNumber>>,
        /// Only those with a price in this currency, which bounds and an order of prices are in, too; GBP if those need one.
        currency: Query<Option<CurrencyCode>>,
        /// Only those that cost so much or more, as in 2.50.
        price_min: Query<Option<AmountText>>,
        /// Only those that cost so much or less.
        price_max: Query<Option<AmountText>>,
        /// Only those created then or later.
        created_from: Query<Option<Time>>,
        /// Only those created before.
        created_before: Query<Option<Time>>,
        /// In which order; `oldest` if absent.
        sort: Query<Option<Order>>,
        /// The `next_cursor` of the page before, in the same order.
        after: Query<Option<ListCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Listed<ProductView>, Failure<Self>> {
        let sort = order(sort.0);
        let after = place(after.0, sort)?;
        let filter = Filter {
            owner: owner_id.0.map(|Id(id)| UserId(id)),
            sku: sku.0.map(Text::into_inner),
            status: Shown::status(status.0),
            category: category_id.0.map(CategoryId::from),
            prices: filter::prices(currency.0, price_min.0, price_max.0, sort.is_by_price())?,
            created_from: created_from.0.map(|Time(time)| time),
            created_before: created_before.0.map(|Time(time)| time),
            sort,
            page: page(after.map(|after| IdCursor(after.id)), limit.0),
            after_price: after.and_then(|after| after.price),
        };
        let (caller, filter) = (&caller.0, &filter);
        let listed =
            self.0.read_late(caller, |mut conn| async move { products::list(&mut conn, caller, filter).await });
        let listed = listed.await?;
        let last = listed.items.last().map(|product| cursor(product, sort));
        let products = listed.items.iter().map(ProductView::from).collect();
        let page = Page::of(products, listed.has_more, |_| last.clone().expect("a page with more has a last product"));
        Ok(Listed::of(&page, uri))
    }
}

fn order(sort: Option<Order>) -> Sort {
    match sort.unwrap_or(Order::Oldest) {
        Order::Oldest => Sort::Oldest,
        Order::Newest => Sort::Newest,
        Order::Price => Sort::Cheapest,
        Order::PriceDesc => Sort::Dearest,
    }
}

/// Where to go on; a cursor of another order is refused.
fn place(after: Option<ListCursor>, sort: Sort) -> Result<Option<After>, Problem> {
    match after {
        Some(ListCursor(after)) if after.price.is_some() != sort.is_by_price() => {
            Err(Problem::parameter("after", "invalid_cursor", "This is a cursor of another order than `sort` says."))
        }
        after => Ok(after.map(|ListCursor(after)| after)),
    }
}

fn cursor(product: &Product, sort: Sort) -> String {
    let price = i64::try_from(product.price.minor).ok().filter(|_| sort.is_by_price());
    ListCursor::encode(After { id: product.id.0, price })
}
