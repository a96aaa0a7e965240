//! Transactions: what is asked for, whether it may be, and what became of it.

mod accept;
mod decide;
mod new;
mod read;
pub mod record;
mod store;

use chrono::{DateTime, Utc};
use ledger::{AccountId, Money, TransactionId};

pub use accept::accept;
pub use decide::{Decision, Refusal};
pub use new::NewTransaction;
pub use read::{Filter, find, find_many, list, statuses};

use crate::ids::{ProductId, UserId};

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// Its stable name.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value of that name.
            pub fn parse(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }
    };
}

names! {
    /// What a transaction is for.
    Kind {
        /// From one wallet to another.
        Transfer = "transfer",
        /// From the outside world into a wallet.
        Deposit = "deposit",
        /// From a wallet to the outside world.
        Withdrawal = "withdrawal",
        /// A customer pays a seller.
        Purchase = "purchase",
        /// A seller pays a customer back.
        Refund = "refund",
        /// Takes an earlier transaction back whole.
        Reversal = "reversal",
    }
}

impl Kind {
    /// The code that stands for it in the ledger; never reused.
    pub fn code(self) -> u16 {
        match self {
            Kind::Transfer => 1,
            Kind::Deposit => 2,
            Kind::Withdrawal => 3,
            Kind::Purchase => 4,
            Kind::Refund => 5,
            Kind::Reversal => 6,
        }
    }
}

names! {
    /// How far a transaction has come.
    Status {
        /// Accepted; its job is on the way.
        Pending = "pending",
        /// In the ledger, for ever.
        Recorded = "recorded",
        /// The ledger refused it, for ever.
        Rejected = "rejected",
    }
}

/// What was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its identifier: the same as its job's and the ledger transaction's.
    pub id: TransactionId,
    /// What it is for.
    pub kind: Kind,
    /// The account that is debited.
    pub from: AccountId,
    /// The account that is credited.
    pub to: AccountId,
    /// How much.
    pub amount: Money,
    /// What was bought.
    pub product_id: Option<ProductId>,
    /// How many were bought.
    pub quantity: Option<i32>,
    /// The transaction that it takes back.
    pub reverses: Option<TransactionId>,
    /// The caller's own name for it.
    pub reference: Option<String>,
    /// The caller's own words.
    pub description: Option<String>,
    /// When it counts, by the caller.
    pub effective_at: DateTime<Utc>,
    /// Who asked.
    pub created_by: UserId,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// How far it has come.
    pub status: Status,
    /// The ledger's named refusal.
    pub reason: Option<String>,
    /// Its place in the book's log.
    pub seq: Option<i64>,
    /// When the ledger recorded it.
    pub recorded_at: Option<DateTime<Utc>>,
}

impl Transaction {
    /// As it was when it was accepted: what a repeated request is answered with.
    pub fn as_accepted(mut self) -> Transaction {
        self.status = Status::Pending;
        (self.reason, self.seq, self.recorded_at) = (None, None, None);
        self
    }
}
