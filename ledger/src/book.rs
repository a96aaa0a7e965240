//! A book: an independent ledger with accounts, transactions and a log of its own.

use serde::{Deserialize, Serialize};

/// Names a book; nothing crosses books in one commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Book {
    /// The shard that holds all rows of the book; 0 on a single PostgreSQL.
    pub shard: i16,
    /// The number of the book within its shard, from 1.
    pub id: i32,
}

impl Book {
    /// The book that exists from the first migration on.
    pub const MAIN: Book = Book { shard: 0, id: 1 };
}

impl std::fmt::Display for Book {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.shard, self.id)
    }
}
