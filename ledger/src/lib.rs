//! Stub.
#![allow(missing_docs, clippy::all)]
use chrono::{DateTime, Utc};
use uuid::Uuid;
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Book {
    pub shard: i16,
    pub id: i32,
}
impl Book {
    pub const MAIN: Book = Book { shard: 0, id: 1 };
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(u8);
#[derive(Debug)]
pub struct UnknownCurrency;
impl Currency {
    pub const GBP: Currency = Currency(0);
    pub const EUR: Currency = Currency(1);
    pub const USD: Currency = Currency(2);
    pub fn parse(_: &str) -> Result<Currency, UnknownCurrency> {
        Ok(Self::GBP)
    }
    pub fn code(&self) -> &'static str {
        "GBP"
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Money {
    pub minor: i128,
    pub currency: Currency,
}
macro_rules! id {
    ($n:ident) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $n(pub Uuid);
        impl std::fmt::Display for $n {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
id!(AccountId);
id!(TransactionId);
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    pub account: AccountId,
    pub amount: i128,
}
pub mod posting {
    use super::*;
    pub use crate::outcome::*;
    pub use crate::stub_post as post;
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Posting {
        pub id: TransactionId,
        pub code: u16,
        pub legs: Vec<Leg>,
        pub effective_at: DateTime<Utc>,
        pub reverses: Option<TransactionId>,
        pub metadata_hash: [u8; 32],
    }
}
pub mod accounts {
    use super::*;
    pub enum Overdraft {
        Allowed,
        Forbidden,
    }
    pub struct NewAccount {
        pub id: AccountId,
        pub currency: Currency,
        pub overdraft: Overdraft,
    }
    pub async fn open(_: &mut sqlx::PgConnection, _: Book, _: &[NewAccount]) -> sqlx::Result<()> {
        Ok(())
    }
}
impl posting::Posting {}
pub mod keys {
    pub struct SigningKey;
}
pub mod checkpoint {
    use super::*;
    pub struct Checkpoint {
        pub size: i64,
    }
    pub async fn sign_head(
        _: &mut sqlx::PgConnection,
        _: Book,
        _: &keys::SigningKey,
    ) -> sqlx::Result<Option<Checkpoint>> {
        Ok(None)
    }
}
pub mod outcome {
    use super::*;
    pub enum Outcome {
        Created { seq: i64, recorded_at: DateTime<Utc> },
        Exists { seq: i64, recorded_at: DateTime<Utc> },
        ExistsWithDifferent(Field),
        Refused(Refusal),
    }
    pub struct Field;
    impl Field {
        pub fn as_str(&self) -> &'static str {
            ""
        }
    }
    pub struct Refusal;
    impl Refusal {
        pub fn as_str(&self) -> &'static str {
            ""
        }
        pub fn is_final(&self) -> bool {
            true
        }
    }
}
pub async fn stub_post(
    _: &mut sqlx::PgConnection,
    _: Book,
    _: &[posting::Posting],
) -> sqlx::Result<Vec<outcome::Outcome>> {
    Ok(vec![])
}
