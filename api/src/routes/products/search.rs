//! `GET /api/v1/products/search`

use std::collections::HashMap;

use domain::UserId;
use domain::products::categories;
use domain::products::search::{self, Found, Part, Place, Search};
use domain::products::{CategoryId, Product};
use poem::http::Uri;
use poem_openapi::param::Query;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Serialize;
use sqlx::PgConnection;

use super::cursor::SearchCursor;
use super::filter::{self, Shown};
use crate::auth::{Caller, needs};
use crate::body::money::{AmountText, CurrencyCode};
use crate::body::text::{Id, Text, Time};
use crate::page::{LIMIT_DEFAULT, Limit, next_link};
use crate::reply::{Failure, Operation, Refusal, Reply, refusals};
use crate::routes::Tag;
use crate::routes::categories::CategoryNumber;
use crate::state::State;
use crate::views::product::ProductView;

pub(crate) struct SearchProducts(pub(crate) State);

impl Operation for SearchProducts {
    const REFUSALS: &'static [&'static [Refusal]] = &[refusals::SIGNED_IN, refusals::PARAMETERS, refusals::ANY];
}

/// A page of what was found.
#[derive(Debug, Object, Serialize)]
pub(crate) struct FoundProducts {
    /// The products, best first.
    items: Vec<ProductView>,
    /// Give it as `after` to get the next page; null on the last.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
    /// How many products match.
    matches: u32,
    /// Whether those are all; if not, at least so many match, and only these were ranked and counted.
    is_exact: bool,
    /// How many of the matches each category has, most first.
    facets: Vec<Facet>,
    /// Words that no product has, and those that were searched for besides.
    corrections: Vec<Correction>,
}

/// A category among the matches.
#[derive(Debug, Object, Serialize)]
struct Facet {
    /// The category; null: none.
    category_id: Option<i32>,
    /// Its name.
    category: Option<String>,
    /// Its products among the matches; those of categories below it not counted.
    products: u32,
}

/// A word that was taken for a misspelt one.
#[derive(Debug, Object, Serialize)]
struct Correction {
    /// As it was given.
    word: String,
    /// What may have been meant.
    searched: Vec<String>,
}

#[derive(ApiResponse)]
pub(crate) enum Response {
    /// A page of what was found.
    #[oai(status = 200)]
    Found(
        Reply<FoundProducts>,
        /// The next page (RFC 8288), if there is one.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

#[OpenApi(tag = "Tag::Products")]
impl SearchProducts {
    /// Search products
    ///
    /// A product matches when its name or description has every word, whatever its ending in English; the last word may be the beginning
    /// of one. A word of four letters or more that no product has is taken for one that is a mistake or two away. A code matches as a
    /// whole. Names count more than descriptions. Of very many matches 1,000 are ranked and counted: `is_exact` says so.
    #[oai(path = "/api/v1/products/search", method = "get", operation_id = "searchProducts")]
    #[expect(clippy::too_many_arguments, reason = "each parameter of the operation is one argument")]
    async fn call(
        &self,
        #[oai(scope = "needs::PRODUCTS_READ")] caller: Caller,
        uri: &Uri,
        /// The words; the first eight count.
        q: Query<Text<1, 200>>,
        /// Only products of this user.
        owner_id: Query<Option<Id>>,
        /// Only those of this status; `active` if absent.
        status: Query<Option<Shown>>,
        /// Only those of this category or of one below it.
        category_id: Query<Option<CategoryNumber>>,
        /// Only those with a price in this currency; GBP if a bound needs one.
        currency: Query<Option<CurrencyCode>>,
        /// Only those that cost so much or more, as in 2.50. Bounds of price and time are held against the first 5,000 matches.
        price_min: Query<Option<AmountText>>,
        /// Only those that cost so much or less.
        price_max: Query<Option<AmountText>>,
        /// Only those created then or later.
        created_from: Query<Option<Time>>,
        /// Only those created before.
        created_before: Query<Option<Time>>,
        /// The `next_cursor` of the page before.
        after: Query<Option<SearchCursor>>,
        /// How many at most; 50 if absent.
        limit: Query<Option<Limit>>,
    ) -> Result<Response, Failure<Self>> {
        let search = Search {
            text: q.0.into_inner(),
            owner: owner_id.0.map(|Id(id)| UserId(id)),
            category: category_id.0.map(CategoryId::from),
            status: Shown::status(status.0),
            prices: filter::prices(currency.0, price_min.0, price_max.0, false)?,
            created_from: created_from.0.map(|Time(time)| time),
            created_before: created_before.0.map(|Time(time)| time),
        };
        let limit = u16::try_from(limit.0.unwrap_or(LIMIT_DEFAULT).0).expect("a limit is small");
        let part = Part { after: after.0.map(|SearchCursor(place)| place), limit };
        let (caller, search, part) = (&caller.0, &search, &part);
        let found = self.0.read_late(caller, |mut conn| async move {
            let found = search::search(&mut conn, caller, search, part).await?;
            Ok((found, names(&mut conn).await?))
        });
        let (found, names) = found.await?;
        let view = view(&found, &names);
        let link = view.next_cursor.as_ref().map(|cursor| next_link(uri, cursor));
        Ok(Response::Found(Reply::of(&view), link))
    }
}

async fn names(conn: &mut PgConnection) -> sqlx::Result<HashMap<CategoryId, String>> {
    Ok(categories::list(conn).await?.into_iter().map(|category| (category.id, category.name)).collect())
}

fn view(found: &Found, names: &HashMap<CategoryId, String>) -> FoundProducts {
    let facet = |(category, products): &(Option<CategoryId>, u32)| Facet {
        category_id: category.map(|category| category.0),
        category: category.and_then(|category| names.get(&category).cloned()),
        products: *products,
    };
    let correction =
        |(word, searched): &(String, Vec<String>)| Correction { word: word.clone(), searched: searched.clone() };
    let listed = &found.products;
    let last = listed.items.last().filter(|_| listed.has_more);
    FoundProducts {
        items: listed.items.iter().map(|(product, _)| ProductView::from(product)).collect(),
        next_cursor: last.map(cursor),
        has_more: listed.has_more,
        matches: found.matches,
        is_exact: found.is_exact,
        facets: found.facets.iter().map(facet).collect(),
        corrections: found.corrections.iter().map(correction).collect(),
    }
}

fn cursor((product, rank): &(Product, f32)) -> String {
    SearchCursor::encode(Place { rank: *rank, id: product.id.0 })
}
