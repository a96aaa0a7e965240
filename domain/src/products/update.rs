//! Changes a product, if it is still what the caller takes it for.

use ledger::Money;
use sqlx::{Connection, PgConnection};

use super::{CategoryId, Product, Status, categories, create, read};
use crate::audit;
use crate::error::Error;
use crate::ids::ProductId;
use crate::principal::Principal;
use crate::validate::Findings;

/// What a product is to become; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The owner's new code for it: 1 to 64 characters, unique among the owner's products.
    pub sku: Option<String>,
    /// Its new name: 1 to 200 characters.
    pub name: Option<String>,
    /// Its new description, up to 4,000 characters; `Some(None)`: none.
    pub description: Option<Option<String>>,
    /// Its new price: more than zero.
    pub price: Option<Money>,
    /// The category that a person gives it, which no rule overrules; `Some(None)`: whatever the rules say.
    pub category: Option<Option<CategoryId>>,
    /// Whether it is sold.
    pub status: Option<Status>,
}

impl Change {
    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all that is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        let mut findings = Findings::default();
        self.sku.iter().for_each(|sku| findings.text("/sku", sku, 1, 64));
        self.name.iter().for_each(|name| findings.text("/name", name, 1, 200));
        let description = self.description.iter().flatten();
        description.for_each(|description| findings.text("/description", description, 1, 4_000));
        self.price.iter().for_each(|price| findings.positive("/price", price));
        findings.into_result()
    }

    /// The names of the fields that it sets.
    fn fields(&self) -> Vec<&'static str> {
        let fields = [
            ("sku", self.sku.is_some()),
            ("name", self.name.is_some()),
            ("description", self.description.is_some()),
            ("price", self.price.is_some()),
            ("category_id", self.category.is_some()),
            ("status", self.status.is_some()),
        ];
        fields.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
    }

    /// The product as it is to be.
    fn applied(&self, product: &Product) -> Product {
        let mut changed = product.clone();
        changed.sku = self.sku.clone().unwrap_or(changed.sku);
        changed.name = self.name.clone().unwrap_or(changed.name);
        changed.description = self.description.clone().unwrap_or(changed.description);
        changed.price = self.price.unwrap_or(changed.price);
        changed.status = self.status.unwrap_or(changed.status);
        if let Some(category) = self.category {
            changed.category_id = category;
            changed.category_by = category.map(|_| "hand".to_owned());
        }
        changed
    }
}

/// Changes the product in the caller's transaction, if it is the caller's or the caller is staff, and `allows` what is there.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Stale`] when `allows` says no; [`Error::Invalid`] when there is no such category; [`Error::Conflict`]
/// `sku_taken` when another product of the owner has that code; when the database fails.
pub async fn update(
    conn: &mut PgConnection,
    principal: &Principal,
    id: ProductId,
    change: &Change,
    allows: impl FnOnce(&Product) -> bool,
) -> Result<Product, Error> {
    lock(conn, principal, id).await?;
    let product = read::find(conn, principal, id).await?;
    if !allows(&product) {
        return Err(Error::Stale);
    }
    if let Some(Some(category)) = change.category {
        categories::hold(conn, category, "/category_id").await?;
    }
    write(conn, principal, &change.applied(&product)).await?;
    if product.owner_id != principal.user_id {
        let detail = serde_json::json!({ "fields": change.fields() });
        audit::record(conn, principal, "product.update", &id.to_string(), detail).await?;
    }
    super::tell(conn, principal.book, "product.updated", id, product.owner_id).await?;
    read::find(conn, principal, id).await
}

/// Nobody else changes the product before this transaction has ended.
async fn lock(conn: &mut PgConnection, principal: &Principal, id: ProductId) -> Result<(), Error> {
    let found = sqlx::query_scalar!(
        "select id
         from app.product
         where shard = $1 and id = $2 and book_id = $3 and ($4::uuid is null or owner_id = $4)
         for update",
        principal.book.shard,
        id.0,
        principal.book.id,
        principal.only_owner(),
    );
    found.fetch_optional(conn).await?.map(|_| ()).ok_or(Error::NotFound)
}

async fn write(conn: &mut PgConnection, principal: &Principal, product: &Product) -> Result<(), Error> {
    let price = i64::try_from(product.price.minor).expect("money is parsed within bounds that fit");
    // A savepoint: after a violation the transaction can still look up what stands against it.
    let mut savepoint = conn.begin().await?;
    let written = sqlx::query!(
        "update app.product
         set sku = $3,
             name = $4,
             description = $5,
             price = $6,
             currency = $7,
             category_id = $8,
             category_by = $9,
             status = $10,
             updated_at = now()
         where shard = $1 and id = $2",
        principal.book.shard,
        product.id.0,
        product.sku,
        product.name,
        product.description,
        price,
        product.price.currency.code(),
        product.category_id.map(|category| category.0),
        product.category_by,
        product.status.as_str(),
    )
    .execute(&mut *savepoint)
    .await;
    match written {
        Ok(_) => Ok(savepoint.commit().await?),
        Err(error) if Error::is_unique_violation(&error, "product_sku") => {
            savepoint.rollback().await?;
            Err(create::sku_taken(conn, principal, product.owner_id, &product.sku).await?)
        }
        Err(error) => Err(error.into()),
    }
}
