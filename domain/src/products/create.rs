//! Creates a product.

use ledger::Money;
use sqlx::PgConnection;

use super::{Product, read};
use crate::error::Error;
use crate::ids::{ProductId, UserId};
use crate::principal::Principal;
use crate::validate::Findings;

/// What a product is created from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProduct {
    /// 1 to 64 characters, unique among the owner's products.
    pub sku: String,
    /// 1 to 200 characters.
    pub name: String,
    /// Up to 4,000 characters.
    pub description: Option<String>,
    /// What one costs: more than zero.
    pub price: Money,
}

impl NewProduct {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut findings = Findings::default();
        findings.text("/sku", &self.sku, 1, 64);
        findings.text("/name", &self.name, 1, 200);
        findings.optional_text("/description", self.description.as_deref(), 4_000);
        findings.positive("/price", &self.price);
        findings.into_result()
    }
}

/// Creates the caller's product, in the caller's transaction; `products.categorize` gives it a category.
///
/// # Errors
/// [`Error::Conflict`] `sku_taken` when the caller has a product of that code; when the database fails.
pub async fn create(conn: &mut PgConnection, principal: &Principal, new: &NewProduct) -> Result<Product, Error> {
    let id = ProductId::new();
    let price = i64::try_from(new.price.minor).expect("money is parsed within bounds that fit");
    let inserted = sqlx::query!(
        "insert into app.product (shard, book_id, id, owner_id, sku, name, description, price, currency)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (shard, owner_id, sku) do nothing",
        principal.book.shard,
        principal.book.id,
        id.0,
        principal.user_id.0,
        new.sku,
        new.name,
        new.description,
        price,
        new.price.currency.code(),
    )
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() == 0 {
        return Err(sku_taken(conn, principal, principal.user_id, &new.sku).await?);
    }
    super::tell(conn, principal.book, "product.created", id, principal.user_id).await?;
    read::find(conn, principal, id).await
}

/// The conflict that names the owner's product with that code.
pub(super) async fn sku_taken(
    conn: &mut PgConnection,
    principal: &Principal,
    owner: UserId,
    sku: &str,
) -> Result<Error, Error> {
    let existing = sqlx::query_scalar!(
        "select id
         from app.product
         where shard = $1 and owner_id = $2 and sku = $3",
        principal.book.shard,
        owner.0,
        sku,
    )
    .fetch_optional(conn)
    .await?;
    Ok(Error::Conflict {
        code: "sku_taken",
        detail: format!("another product of this owner has the code {sku}"),
        existing,
    })
}
