//! Products: what users sell, the categories that they are in, and finding them.

pub mod batch;
pub mod categories;
pub mod categorize;
mod create;
mod list;
mod price;
mod read;
pub mod reindex;
pub mod rules;
pub mod search;
mod status;
mod update;

use chrono::{DateTime, Utc};
use ledger::{Book, Money};
use sqlx::PgConnection;

pub use categories::CategoryId;
pub use create::{NewProduct, create};
pub use list::{Filter, Sort, list};
pub use price::Prices;
pub use read::{find, find_own};
pub use status::Status;
pub use update::{Change, update};

use crate::events::{self, Event, topic};
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
    /// The name of its category; none until a rule or a person gave it one.
    pub category: Option<String>,
    /// The category.
    pub category_id: Option<CategoryId>,
    /// Who said what category it is: `rule`, or `hand`, which no rule overrules.
    pub category_by: Option<String>,
    /// Whether it is sold.
    pub status: Status,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was changed last.
    pub updated_at: DateTime<Utc>,
}

/// Publishes that something was done to a product.
async fn tell(
    conn: &mut PgConnection,
    book: Book,
    kind: &'static str,
    product: ProductId,
    owner: UserId,
) -> sqlx::Result<()> {
    let payload = serde_json::json!({ "v": 1, "product_id": product.0, "owner_id": owner.0 });
    events::publish(conn, book, &[Event::new(kind, [topic::user(owner.0)], &payload)]).await
}
