//! Products: what users sell, and the categories that rules give them.

pub mod categorize;
mod create;
mod read;

use chrono::{DateTime, Utc};
use ledger::Money;

pub use create::{NewProduct, create};
pub use read::{Filter, find, list};

use crate::ids::{ProductId, UserId};

/// Something that a user sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its identifier.
    pub id: ProductId,
    /// Who sells it.
    pub owner_id: UserId,
    /// The owner's own code for it, unique among the owner's products.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// What one costs.
    pub price: Money,
    /// What a rule made of it; none until `products.categorize` found one that fits.
    pub category: Option<String>,
    /// `active` or `archived`.
    pub status: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}
