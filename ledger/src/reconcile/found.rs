//! What a check finds, and the classes that findings are sorted into.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Currency};

/// The classes of what may not agree; docs/RECONCILIATION.md says what each compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Debits equal credits.
    R1,
    /// Balances equal the sums of entries.
    R2,
    /// Entries follow one from the other.
    R3,
    /// What is held equals the open holds.
    R4,
    /// Bounds are kept.
    R5,
    /// The log is whole and goes on from what was signed.
    R6,
    /// Each request has one outcome, and each recorded transaction its request.
    R7,
    /// An id means one thing.
    R8,
    /// Clearing accounts net to nothing.
    R9,
    /// Others' statements say the same.
    R10,
    /// Secondary tables and indexes say the same.
    R11,
    /// Breaks of earlier runs are carried forward.
    R12,
}

impl Class {
    /// All of them, in order.
    pub const ALL: [Class; 12] = [
        Class::R1,
        Class::R2,
        Class::R3,
        Class::R4,
        Class::R5,
        Class::R6,
        Class::R7,
        Class::R8,
        Class::R9,
        Class::R10,
        Class::R11,
        Class::R12,
    ];

    /// Its stable name.
    pub const fn as_str(self) -> &'static str {
        const NAMES: [&str; 12] = ["R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R11", "R12"];
        NAMES[self as usize]
    }

    /// The class of that name.
    pub fn parse(name: &str) -> Option<Class> {
        Class::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// What it compares, for a person.
    pub const fn title(self) -> &'static str {
        match self {
            Class::R1 => "debits equal credits",
            Class::R2 => "balances equal the sums of entries",
            Class::R3 => "entries follow one from the other",
            Class::R4 => "what is held equals the open holds",
            Class::R5 => "bounds are kept",
            Class::R6 => "the log is whole and goes on from what was signed",
            Class::R7 => "each request has one outcome, each recorded transaction its request",
            Class::R8 => "an id means one thing",
            Class::R9 => "clearing accounts net to nothing",
            Class::R10 => "statements of others say the same",
            Class::R11 => "secondary tables and indexes say the same",
            Class::R12 => "breaks of earlier runs are carried forward",
        }
    }

    /// Whether a finding means that what the ledger itself holds is damaged.
    pub const fn is_of_ledger(self) -> bool {
        matches!(self, Class::R1 | Class::R2 | Class::R3 | Class::R4 | Class::R5 | Class::R6 | Class::R8 | Class::R11)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that does not agree. Class, sub-class and subject name it: another run that finds it again finds the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The check that it belongs to.
    pub class: Class,
    /// What exactly does not agree, in snake case.
    pub sub_class: &'static str,
    /// What it is about, such as `account` or `leaf`.
    pub subject_kind: &'static str,
    /// The name of that.
    pub subject: String,
    /// The difference in minor units, where there is one that fits.
    pub amount: Option<i128>,
    /// What the amount is in.
    pub currency: Option<String>,
    /// The difference in words.
    pub detail: String,
}

impl Found {
    /// Something about `subject`, without an amount.
    pub fn new(
        class: Class,
        sub_class: &'static str,
        (subject_kind, subject): (&'static str, String),
        detail: impl Into<String>,
    ) -> Found {
        assert!(!sub_class.is_empty() && !subject_kind.is_empty(), "a finding has a name");
        Found { class, sub_class, subject_kind, subject, amount: None, currency: None, detail: detail.into() }
    }

    /// Something about an account.
    pub fn account(class: Class, sub_class: &'static str, account: AccountId, detail: impl Into<String>) -> Found {
        Found::new(class, sub_class, ("account", account.to_string()), detail)
    }

    /// Something about a place in the log.
    pub fn leaf(class: Class, sub_class: &'static str, seq: i64, detail: impl Into<String>) -> Found {
        Found::new(class, sub_class, ("leaf", seq.to_string()), detail)
    }

    /// With the difference in minor units of a currency.
    #[must_use]
    pub fn amount(mut self, minor: i128, currency: impl Into<String>) -> Found {
        (self.amount, self.currency) = (Some(minor), Some(currency.into()));
        self
    }

    /// As [`Found::amount`], for a currency that is known.
    #[must_use]
    pub fn money(self, minor: i128, currency: Currency) -> Found {
        self.amount(minor, currency.code())
    }
}

/// A number that PostgreSQL summed up, as text since it may be beyond 64 bits.
pub(super) fn minor(text: &str) -> i128 {
    text.parse().expect("a sum of whole numbers is a whole number of far fewer than 38 digits")
}
