//! Users and their wallets.

mod create;
mod delete;
mod erase;
mod owners;
mod read;
pub mod statistics;
mod update;
pub mod wallets;

use chrono::{DateTime, Utc};
use ledger::{Book, Currency};
use sqlx::PgConnection;

pub use create::{NewUser, create};
pub use delete::delete;
pub use erase::{Erased, erase};
pub use owners::Owners;
pub use read::{Filter, find, list};
pub use update::{Changes, update};
pub use wallets::Wallet;

use crate::events::{self, Event, topic};
use crate::ids::UserId;
use crate::principal::Role;

/// A person or a system that may call the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// Unique in the book, without regard to case.
    pub email: String,
    /// What the user is called.
    pub name: String,
    /// Free text, as the user gave it.
    pub country: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// `active`, `suspended` or `deleted`.
    pub status: String,
    /// What the user says about itself.
    pub profile: Profile,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
    /// When the user was changed last.
    pub updated_at: DateTime<Utc>,
    /// The user's accounts in the ledger, by currency.
    pub wallets: Vec<Wallet>,
}

/// What a user says about itself; all of it may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// E.164.
    pub phone: Option<String>,
    /// BCP 47, such as `en-GB`.
    pub locale: Option<String>,
    /// A name of the IANA time zone database.
    pub time_zone: Option<String>,
    /// An https address of a picture; nothing of ours fetches it.
    pub avatar_url: Option<String>,
    /// The user's own words.
    pub bio: Option<String>,
}

/// The currencies of a new user's wallets when none are named.
pub const CURRENCIES_DEFAULT: [Currency; 1] = [Currency::GBP];

/// Publishes that something was done to a user. What it was is for the API to tell, to those who may know.
async fn tell(conn: &mut PgConnection, book: Book, kind: &'static str, user: UserId) -> sqlx::Result<()> {
    let payload = serde_json::json!({ "v": 1, "user_id": user.0 });
    events::publish(conn, book, &[Event::new(kind, [topic::user(user.0)], &payload)]).await
}
