//! Users and their wallets.

mod create;
mod erase;
mod read;
pub mod statistics;
pub mod wallets;

use chrono::{DateTime, Utc};
use ledger::Currency;

pub use create::{NewUser, create};
pub use erase::{Erased, erase};
pub use read::{Filter, find, list};
pub use wallets::Wallet;

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
    /// `active` or `suspended`.
    pub status: String,
    /// When the user was created.
    pub created_at: DateTime<Utc>,
    /// When the user was changed last.
    pub updated_at: DateTime<Utc>,
    /// The user's accounts in the ledger, by currency.
    pub wallets: Vec<Wallet>,
}

/// The currencies of a new user's wallets when none are named.
pub const CURRENCIES_DEFAULT: [Currency; 1] = [Currency::GBP];
