//! Lists products, by filters and in an order, by keyset.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{CategoryId, Prices, Product, Status, categories, read};
use crate::error::Error;
use crate::ids::UserId;
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// By creation.
    #[default]
    Oldest,
    /// By creation, the last one first.
    Newest,
    /// By price; takes [`Prices::currency`].
    Cheapest,
    /// By price, the highest first; takes [`Prices::currency`].
    Dearest,
}

impl Sort {
    /// Whether prices decide.
    pub fn is_by_price(self) -> bool {
        matches!(self, Sort::Cheapest | Sort::Dearest)
    }
}

/// Which products to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this owner.
    pub owner: Option<UserId>,
    /// Only those with this code.
    pub sku: Option<String>,
    /// Only those of this status; none: of any.
    pub status: Option<Status>,
    /// Only those of this category or of one below it.
    pub category: Option<CategoryId>,
    /// Only those with such a price.
    pub prices: Prices,
    /// Only those created then or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only those created before.
    pub created_before: Option<DateTime<Utc>>,
    /// In which order.
    pub sort: Sort,
    /// Which page.
    pub page: Page,
    /// The price of the last product of the page before, where prices decide the order.
    pub after_price: Option<i64>,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            owner: None,
            sku: None,
            status: Some(Status::Active),
            category: None,
            prices: Prices::default(),
            created_from: None,
            created_before: None,
            sort: Sort::default(),
            page: Page::default(),
            after_price: None,
        }
    }
}

/// The statement, which differs by its order only. It is planned for its values: a plan for all of them would walk the whole table for
/// the two products of an owner.
macro_rules! ids {
    ($conn:ident, $principal:ident, $filter:ident, $categories:ident, $place:literal, $order:literal) => {
        sqlx::query_scalar!(
            "select product.id
             from app.product
             where product.shard = $1
               and product.book_id = $2
               and ($3::uuid is null or product.owner_id = $3)
               and ($4::text is null or product.sku = $4)
               and ($5::text is null or product.status = $5)
               and ($6::integer[] is null or product.category_id = any($6))
               and ($7::text is null or product.currency = $7)
               and ($8::bigint is null or product.price >= $8)
               and ($9::bigint is null or product.price <= $9)
               and ($10::timestamptz is null or product.created_at >= $10)
               and ($11::timestamptz is null or product.created_at < $11)
               and ($12::uuid is null or "
                + $place
                + ") order by "
                + $order
                + " limit $14",
            $principal.book.shard,
            $principal.book.id,
            $filter.owner.map(|owner| owner.0),
            $filter.sku.as_deref(),
            $filter.status.map(Status::as_str),
            $categories.as_deref(),
            $filter.prices.code(),
            $filter.prices.min,
            $filter.prices.max,
            $filter.created_from,
            $filter.created_before,
            $filter.page.after,
            $filter.after_price,
            $filter.page.fetch_limit(),
        )
        .persistent(false)
        .fetch_all(&mut *$conn)
        .await?
    };
}

/// One page of the book's products.
///
/// # Errors
/// [`Error::Invalid`] when the order is one of prices and no currency is given; when the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Product>, Error> {
    if filter.sort.is_by_price() && filter.prices.currency.is_none() {
        return Err(Error::field("/currency", "required", "an order of prices needs their currency"));
    }
    let below = match filter.category {
        Some(category) => Some(categories::below(conn, category).await?),
        None => None,
    };
    let ids = match filter.sort {
        Sort::Oldest => {
            ids!(conn, principal, filter, below, "product.id > $12 and $13::bigint is null", "product.id")
        }
        Sort::Newest => {
            ids!(conn, principal, filter, below, "product.id < $12 and $13::bigint is null", "product.id desc")
        }
        Sort::Cheapest => {
            ids!(
                conn,
                principal,
                filter,
                below,
                "(product.price, product.id) > ($13::bigint, $12)",
                "product.price, product.id"
            )
        }
        Sort::Dearest => {
            ids!(
                conn,
                principal,
                filter,
                below,
                "(product.price, product.id) < ($13::bigint, $12)",
                "product.price desc, product.id desc"
            )
        }
    };
    let page = filter.page.cut(ids);
    let items = read::in_order(conn, principal, &page.items).await?;
    Ok(Listed { items, has_more: page.has_more })
}
