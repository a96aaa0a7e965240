//! Products.

use chrono::{DateTime, Utc};
use domain::products::Product;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::money::MoneyView;

/// Something that a user sells.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Product")]
pub(crate) struct ProductView {
    /// Its identifier.
    pub id: Uuid,
    /// Who sells it.
    pub owner_id: Uuid,
    /// The owner's own code for it, unique among the owner's products.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// What one costs.
    pub price: MoneyView,
    /// What a rule made of it; null until `products.categorize` found one that fits.
    pub category: Option<String>,
    /// `active` or `archived`.
    pub status: String,
    /// In the answer to createProduct: the job that gives it a category.
    #[oai(skip_serializing_if_is_none)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<Uuid>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

impl From<&Product> for ProductView {
    fn from(product: &Product) -> ProductView {
        ProductView {
            id: product.id.0,
            owner_id: product.owner_id.0,
            sku: product.sku.clone(),
            name: product.name.clone(),
            description: product.description.clone(),
            price: product.price.into(),
            category: product.category.clone(),
            status: product.status.clone(),
            job_id: None,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}
