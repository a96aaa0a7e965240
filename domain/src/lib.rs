//! Accounts, products and transactions: their types, their validation and their queries.
//!
//! Everything here runs on the caller's connection, inside the caller's transaction: nothing is enqueued, spawned or
//! sent from here. Events are rows, written in the transaction that they tell of.

// Money is never a float.
#![deny(clippy::float_arithmetic)]

pub mod access;
pub mod accounts;
pub mod audit;
pub mod error;
pub mod events;
pub mod idempotency;
pub mod ids;
pub mod imports;
pub mod mirror;
pub mod page;
pub mod principal;
pub mod products;
pub mod reconciliation;
pub mod retention;
pub mod setup;
pub mod transactions;
pub mod validate;
pub mod webhooks;

pub use error::{Error, FieldError};
pub use ids::{ProductId, UserId};
pub use page::Page;
pub use principal::{Credential, Principal, Role};
