//! Products.

use chrono::{DateTime, Utc};
use domain::products::Product;
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use super::money::MoneyView;
use crate::body::choice::{Choice, choice};

choice! {
    /// Whether a product is sold.
    pub(crate) enum ProductStatus {
        /// It is.
        Active = "active",
        /// It is kept for its history; lists and searches leave it out unless asked for it.
        Archived = "archived",
    }
}

choice! {
    /// Who said what category a product is.
    pub(crate) enum CategoryBy {
        /// A rule.
        Rule = "rule",
        /// A person, whom no rule overrules.
        Hand = "hand",
    }
}

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
    /// The name of its category; null until a rule or a person gave it one.
    pub category: Option<String>,
    /// The category.
    pub category_id: Option<i32>,
    /// Who said so: a rule, or a person, whom no rule overrules.
    pub category_by: Option<CategoryBy>,
    /// Whether it is sold.
    pub status: ProductStatus,
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
            category_id: product.category_id.map(|category| category.0),
            category_by: product.category_by.as_deref().map(CategoryBy::named),
            status: ProductStatus::named(product.status.as_str()),
            job_id: None,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}
