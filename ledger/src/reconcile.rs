//! Reconciliation of the ledger with itself: the checks of R1 to R12 that need nothing but its own tables.
//!
//! Each check is a file. It reads on the caller's snapshot (repeatable read, read only), a page at a time, so that memory is
//! bounded and a run can go on where it was killed: [`Check::page`] tells where the next page begins. What does not agree is
//! a [`Found`], never an error. Nothing is changed; [`repair`] derives projections again when it is asked to.

mod found;
mod pages;
mod r01_balanced;
mod r02_balances;
mod r03_chain;
mod r04_holds;
mod r05_bounds;
mod r06_log;
mod r08_ids;
mod r11_rows;
pub mod repair;
mod verified;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Book;
use crate::merkle::Hash;

pub use found::{Class, Found};
pub use verified::of_verification;

/// What a run checks: the leaves `from..size` and what they touched.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The book.
    pub book: Book,
    /// Leaves that are verified already.
    pub from: i64,
    /// The tree's right edge at `from`.
    pub frontier: Vec<u8>,
    /// Leaves of the log as of this run.
    pub size: i64,
    /// The root at `size`, by the book's row.
    pub root: Hash,
    /// Whether everything is checked, whatever was verified before.
    pub is_full: bool,
}

impl Scope {
    /// Whether going through all accounts is cheaper than through what the new leaves touched.
    fn is_sweep(&self) -> bool {
        self.is_full || (self.size - self.from).saturating_mul(2) > self.size
    }
}

/// Where the next page of a check begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// At this leaf.
    Seq(i64),
    /// After this account, request or whatever the check goes through.
    Id(Uuid),
    /// At this leaf, with the tree's right edge so far.
    Log(i64, Vec<u8>),
}

/// What one page of a check came to.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What does not agree.
    pub found: Vec<Found>,
    /// Rows that were looked at.
    pub scanned: u64,
    /// Where to go on; none at the end.
    pub next: Option<Place>,
    /// The right edge of the whole tree, from the last page of [`Check::Log`].
    pub frontier: Option<Vec<u8>>,
}

/// The head of a book.
#[derive(Clone, Debug)]
pub struct Head {
    /// Leaves.
    pub size: i64,
    /// Root over them.
    pub root: Hash,
}

/// The checks of the ledger itself, in the order in which they are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// R1: debits equal credits, in each transaction and in all.
    Balanced,
    /// R2: the row of an account says what its entries add up to.
    Balances,
    /// R3: the entries of an account follow one from the other.
    Chain,
    /// R4: what is held is what open holds hold, and none is overdue.
    Holds,
    /// R5: no account is beyond its bound.
    Bounds,
    /// R6: the log is whole, hashes to its root, and goes on from what was signed.
    Log,
    /// R8: an id is recorded once, or refused.
    Ids,
    /// R11: columns, entries and indexes say what the leaves say.
    Rows,
}

impl Check {
    /// All of them.
    pub const ALL: [Check; 8] = [
        Check::Balanced,
        Check::Balances,
        Check::Chain,
        Check::Holds,
        Check::Bounds,
        Check::Log,
        Check::Ids,
        Check::Rows,
    ];

    /// The class of what it finds.
    pub const fn class(self) -> Class {
        match self {
            Check::Balanced => Class::R1,
            Check::Balances => Class::R2,
            Check::Chain => Class::R3,
            Check::Holds => Class::R4,
            Check::Bounds => Class::R5,
            Check::Log => Class::R6,
            Check::Ids => Class::R8,
            Check::Rows => Class::R11,
        }
    }

    /// Does one page, on a connection whose transaction is the run's snapshot.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(self, conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
        assert!(0 <= scope.from && scope.from <= scope.size, "a window lies within the log");
        match self {
            Check::Balanced => r01_balanced::page(conn, scope, place).await,
            Check::Balances => r02_balances::page(conn, scope, place).await,
            Check::Chain => r03_chain::page(conn, scope, place).await,
            Check::Holds => r04_holds::page(conn, scope).await,
            Check::Bounds => r05_bounds::page(conn, scope, place).await,
            Check::Log => r06_log::page(conn, scope, place).await,
            Check::Ids => r08_ids::page(conn, scope, place).await,
            Check::Rows => r11_rows::page(conn, scope, place).await,
        }
    }
}

/// The head of the book as this snapshot sees it; none if there is no such book.
///
/// # Errors
/// When the database fails.
pub async fn head(conn: &mut PgConnection, book: Book) -> sqlx::Result<Option<Head>> {
    let row = sqlx::query!(
        r#"select size, root
           from ledger.book
           where shard = $1
               and book = $2"#,
        book.shard,
        book.id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Head { size: row.size, root: row.root.try_into().expect("a CHECK holds roots to 32 bytes") }))
}
