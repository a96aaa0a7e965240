//! Reads a product by its id. Every caller of a book sees all its products, as in a shop.

use chrono::{DateTime, Utc};
use ledger::{Currency, Money};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{CategoryId, Product, Status};
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::principal::Principal;

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
    category_id: Option<i32>,
    category_by: Option<String>,
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
            category_id: row.category_id.map(CategoryId),
            category_by: row.category_by,
            status: Status::parse(&row.status).expect("the table's check knows the same words"),
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
    in_order(conn, principal, &[id.0]).await?.pop().ok_or(Error::NotFound)
}

/// The product, if the caller may change it.
///
/// # Errors
/// [`Error::NotFound`] when there is none, or the caller is no staff and it is somebody else's; when the database fails.
pub async fn find_own(conn: &mut PgConnection, principal: &Principal, id: ProductId) -> Result<Product, Error> {
    let product = find(conn, principal, id).await?;
    let is_own = principal.is_staff() || product.owner_id == principal.user_id;
    if is_own { Ok(product) } else { Err(Error::NotFound) }
}

/// Those of these products that the caller's book has, in the order given.
pub(super) async fn in_order(
    conn: &mut PgConnection,
    principal: &Principal,
    ids: &[Uuid],
) -> sqlx::Result<Vec<Product>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select product.id, product.owner_id, product.sku, product.name, product.description, product.price,
                  product.currency, category.name as "category?", product.category_id, product.category_by,
                  product.status, product.created_at, product.updated_at
           from unnest($3::uuid[]) with ordinality as wanted (id, place)
           cross join lateral (
               select *
               from app.product
               where shard = $1 and id = wanted.id and book_id = $2
               -- One look-up each, whatever the statistics say.
               offset 0
           ) as product
           left join app.category on category.id = product.category_id
           order by wanted.place"#,
        principal.book.shard,
        principal.book.id,
        ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Product::from).collect())
}
