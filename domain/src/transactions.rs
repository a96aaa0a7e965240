//! Transactions: what is asked for, whether it may be, and what became of it.

mod accept;
mod decide;
mod legs;
mod list;
mod new;
mod read;
pub mod record;
mod resolve;
mod sell;
pub mod statement;
mod store;
pub mod told;

use chrono::{DateTime, Utc};
use ledger::{AccountId, Money, TransactionId};

pub use accept::accept;
pub use decide::{Decision, Refusal};
pub use legs::Leg;
pub use list::{AmountRange, Filter, Order, TimeRange, list};
pub use new::{NewHold, NewTransaction};
pub use read::{find, find_many, is_open_to, seen_by, statuses};

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
        /// Takes an earlier transaction back, whole or in part.
        Reversal = "reversal",
        /// Moves between many accounts at once, in one currency or several.
        MultiLeg = "multi_leg",
        /// Ends a hold: what was set aside moves, all or a part of it.
        Post = "post",
        /// Ends a hold: what was set aside is free again.
        Void = "void",
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
            Kind::MultiLeg => 7,
            Kind::Post => 8,
            Kind::Void => 9,
        }
    }
}

impl Kind {
    /// The kind of that code.
    pub fn of_code(code: u16) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

names! {
    /// What the ledger said of a transaction.
    Status {
        /// Accepted; its job is on the way.
        Pending = "pending",
        /// In the ledger, for ever.
        Recorded = "recorded",
        /// The ledger refused it, for ever.
        Rejected = "rejected",
    }
}

names! {
    /// How a hold ended by a transaction of its own. It may also expire, which follows from its time.
    Ended {
        /// What was set aside has moved, all or a part of it.
        Posted = "posted",
        /// What was set aside is free again.
        Voided = "voided",
    }
}

names! {
    /// How far a transaction has come, holds included.
    State {
        /// Accepted; its job is on the way.
        Pending = "pending",
        /// In the ledger, for ever.
        Recorded = "recorded",
        /// The ledger refused it, for ever.
        Rejected = "rejected",
        /// A hold: its amounts are set aside.
        Held = "held",
        /// A hold of which a post moved all or a part.
        Posted = "posted",
        /// A hold that a void freed.
        Voided = "voided",
        /// A hold whose time was over before anything else ended it.
        Expired = "expired",
    }
}

/// What makes a transaction a hold: its amounts are set aside until something ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// From when on it can only expire; none: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether its time was over when it was read, by the database's clock.
    pub is_over: bool,
    /// What ended it, other than its time.
    pub ended: Option<Ended>,
}

/// What was asked for, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its identifier: the same as its job's and the ledger transaction's.
    pub id: TransactionId,
    /// What it is for.
    pub kind: Kind,
    /// The account that is debited; of several legs the first such one.
    pub from: AccountId,
    /// The account that is credited; of several legs the first such one.
    pub to: AccountId,
    /// How much; of several legs what the first that is debited gives.
    pub amount: Money,
    /// All of its legs where they are more than from, to and amount tell; else none.
    pub legs: Vec<Leg>,
    /// What was bought.
    pub product_id: Option<ProductId>,
    /// How many were bought.
    pub quantity: Option<i32>,
    /// The transaction that it takes back.
    pub reverses: Option<TransactionId>,
    /// The hold that it ends.
    pub resolves: Option<TransactionId>,
    /// Whether it takes back, or posts, an amount of its own and not the whole.
    pub is_part: bool,
    /// What makes it a hold; none: it is not one.
    pub hold: Option<Hold>,
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
    /// How far it has come, holds included.
    pub fn state(&self) -> State {
        match (self.status, self.hold) {
            (Status::Pending, _) => State::Pending,
            (Status::Rejected, _) => State::Rejected,
            (Status::Recorded, None) => State::Recorded,
            (Status::Recorded, Some(Hold { ended: Some(Ended::Posted), .. })) => State::Posted,
            (Status::Recorded, Some(Hold { ended: Some(Ended::Voided), .. })) => State::Voided,
            (Status::Recorded, Some(Hold { is_over: true, .. })) => State::Expired,
            (Status::Recorded, Some(_)) => State::Held,
        }
    }

    /// Its legs, whatever form they are kept in: those that are debited have an amount below zero.
    pub fn all_legs(&self) -> Vec<Leg> {
        if self.legs.is_empty() { legs::two(self.from, self.to, self.amount).to_vec() } else { self.legs.clone() }
    }

    /// As it was when it was accepted: what a repeated request is answered with.
    pub fn as_accepted(mut self) -> Transaction {
        self.status = Status::Pending;
        (self.reason, self.seq, self.recorded_at) = (None, None, None);
        self.hold = self.hold.map(|hold| Hold { ended: None, is_over: false, ..hold });
        self
    }
}
