//! Statements of others: read strictly, kept once, matched with the entries of an account.

mod csv;
mod import;
mod matching;
mod read;

use chrono::NaiveDate;
use ledger::{AccountId, Currency, Money};

pub use csv::{COLUMNS, LINES_MAX, LineError};
pub use import::{ImportError, Imported, check, import, import_upload};
pub use matching::{FOUND_MAX, Matched, match_statement};
pub use read::{Statement, auto_matched, due, find, list};

/// How many days a line and its entry may be apart, unless somebody says otherwise.
pub const TOLERANCE_DAYS: i16 = 3;

/// What is told of a statement beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStatement {
    /// What people call it.
    pub name: String,
    /// The ledger account that it is about.
    pub account: AccountId,
    /// The first day.
    pub period_from: NaiveDate,
    /// The last day.
    pub period_to: NaiveDate,
    /// The balance before the first day.
    pub opening: Money,
    /// The balance after the last day.
    pub closing: Money,
    /// How many days a line and its entry may be apart.
    pub tolerance_days: i16,
    /// How much a line and its entry may be apart, in minor units.
    pub tolerance_amount: i64,
}

impl NewStatement {
    /// The currency of its account.
    pub fn currency(&self) -> Currency {
        self.opening.currency
    }
}
