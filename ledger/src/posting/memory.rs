//! What a process remembers of a book from one posting to the next, so that it need not read it again.
//!
//! A balance may be remembered only while nobody else changes it. Whoever changes an account writes the row of its book as
//! well, and holds it until the commit: so what was remembered with one version of that row is true for as long as this
//! version is the one that is locked. A version is told by the transaction that wrote it (`xmin`) and by what it says.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::decide::AccountState;
use crate::merkle::Hash;
use crate::{AccountId, Book};

/// The most accounts that are remembered, of all books: as many as a table of 2^17 places takes before it doubles.
const ACCOUNTS_MAX: usize = 7 << 14;

/// What one process remembers of the books that it posts to. One for all of its connections; empty at first, and of no use to
/// a process that posts in turns with another one, since each makes the other's out of date.
#[derive(Default)]
pub struct Memory {
    books: Mutex<HashMap<Book, Remembered>>,
}

/// The accounts that were changed lately, as the version of the book's row has them.
#[derive(Default)]
pub(super) struct Remembered {
    version: Option<Version>,
    accounts: HashMap<AccountId, (AccountState, Place)>,
}

/// Which version of the book's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// The transaction that wrote it.
    pub(super) written_by: String,
    pub(super) size: i64,
    pub(super) root: Hash,
}

/// Where a row lies in its table: page, and place on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32, u16);

impl Place {
    /// Reads what PostgreSQL writes of a `tid`, such as `(12,3)`.
    pub(super) fn parse(tid: &str) -> Option<Place> {
        let (page, place) = tid.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        Some(Place(page.parse().ok()?, place.parse().ok()?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({},{})", self.0, self.1)
    }
}

impl Memory {
    /// What is remembered of the book, if this is the version that it is remembered with. It is taken out: whoever fails
    /// leaves nothing behind that could be wrong.
    pub(super) fn take(&self, book: Book, version: &Version) -> Remembered {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = books.remove(&book).filter(|remembered| remembered.version.as_ref() == Some(version));
        remembered.unwrap_or_default()
    }

    /// Keeps what is true from this version on.
    pub(super) fn keep(&self, book: Book, mut remembered: Remembered, version: Version) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.version = Some(version);
        let others: usize = books.values().map(|other| other.accounts.len()).sum();
        if others + remembered.accounts.len() <= ACCOUNTS_MAX {
            books.insert(book, remembered);
        } else {
            books.clear();
        }
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Remembered {
    pub(super) fn find(&self, account: AccountId) -> Option<(AccountState, Place)> {
        self.accounts.get(&account).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(super) fn insert(&mut self, account: AccountId, state: AccountState, place: Place) {
        self.accounts.insert(account, (AccountState { is_changed: false, ..state }, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_may_be_remembered_takes_less_than_16_mb() {
        let place_bytes = size_of::<(AccountId, (AccountState, Place))>() + 1;
        assert!((place_bytes << 17) < 16_000_000, "{place_bytes} bytes each");
        let mut full: HashMap<AccountId, (AccountState, Place)> = HashMap::with_capacity(ACCOUNTS_MAX);
        full.shrink_to(ACCOUNTS_MAX);
        assert_eq!(full.capacity(), ACCOUNTS_MAX, "one more would double it");
    }

    #[test]
    fn a_place_is_read_and_written_as_postgresql_does() {
        for tid in ["(0,1)", "(4294967295,65535)"] {
            assert_eq!(Place::parse(tid).expect("it is one").to_string(), tid);
        }
        for wrong in ["", "0,1", "(0,1", "(0)", "(-1,1)", "(0,65536)", "(4294967296,1)"] {
            assert_eq!(Place::parse(wrong), None, "{wrong:?}");
        }
    }
}
