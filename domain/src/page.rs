//! Keyset pages: an order by id, a place to go on from, and a limit.

use uuid::Uuid;

/// The most rows that one page may hold.
pub const LIMIT_MAX: u16 = 200;

/// The rows of a page when the caller does not say.
pub const LIMIT_DEFAULT: u16 = 50;

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The last row of the page before; none for the first page.
    pub after: Option<Uuid>,
    /// At most so many rows, from 1 to [`LIMIT_MAX`].
    pub limit: u16,
}

impl Default for Page {
    fn default() -> Page {
        Page { after: None, limit: LIMIT_DEFAULT }
    }
}

impl Page {
    /// One row more than asked for, which tells whether there is another page.
    pub(crate) fn fetch_limit(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts the row that only told that there is more.
    pub(crate) fn cut<T>(self, mut items: Vec<T>) -> Listed<T> {
        let has_more = items.len() > usize::from(self.limit);
        items.truncate(usize::from(self.limit));
        Listed { items, has_more }
    }
}

/// The rows of one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The rows, in the order of the listing.
    pub items: Vec<T>,
    /// Whether there are rows after the last one.
    pub has_more: bool,
}
