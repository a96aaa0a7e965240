//! Reads products: one by its id, or a page of them. Every caller of a book sees all its products, as in a shop.

use chrono::{DateTime, Utc};
use ledger::{Currency, Money};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Product;
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::page::{Listed, Page};
use crate::principal::Principal;

/// Which products to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this owner.
    pub owner: Option<UserId>,
    /// Only those with this code.
    pub sku: Option<String>,
    /// Which page.
    pub page: Page,
}

/// A row of `app.product` with its category's name.
struct Row {
    id: Uuid,
    owner_id: Uuid,
    sku: String,
    name: String,
    description: Option<String>,
    price: i64,
    currency: String,
    category: Option<String>,
    status: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Product {
    fn from(row: Row) -> Product {
        let currency = Currency::parse(&row.currency).expect("only known currencies are written");
        Product {
            id: ProductId(row.id),
            owner_id: UserId(row.owner_id),
            sku: row.sku,
            name: row.name,
            description: row.description,
            price: Money { minor: i128::from(row.price), currency },
            category: row.category,
            status: row.status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// The product.
///
/// # Errors
/// [`Error::NotFound`] when the caller's book has none of this id; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, id: ProductId) -> Result<Product, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select product.id, product.owner_id, product.sku, product.name, product.description, product.price,
                  product.currency, category.name as "category?", product.status, product.created_at, product.updated_at
           from app.product
           left join app.category on category.id = product.category_id
           where product.shard = $1 and product.id = $2 and product.book_id = $3"#,
        principal.book.shard,
        id.0,
        principal.book.id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Product::from).ok_or(Error::NotFound)
}

/// One page of the book's products, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, principal: &Principal, filter: &Filter) -> Result<Listed<Product>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select product.id, product.owner_id, product.sku, product.name, product.description, product.price,
                  product.currency, category.name as "category?", product.status, product.created_at, product.updated_at
           from app.product
           left join app.category on category.id = product.category_id
           where product.shard = $1
             and product.book_id = $2
             and ($3::uuid is null or product.owner_id = $3)
             and ($4::text is null or product.sku = $4)
             and ($5::uuid is null or product.id > $5)
           order by product.id
           limit $6"#,
        principal.book.shard,
        principal.book.id,
        filter.owner.map(|owner| owner.0),
        filter.sku.as_deref(),
        filter.page.after,
        filter.page.fetch_limit(),
    )
    .fetch_all(conn)
    .await?;
    Ok(filter.page.cut(rows.into_iter().map(Product::from).collect()))
}
