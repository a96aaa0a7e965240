//! The cursors of the lists of products. They carry no right: they only say where to go on.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::products::search::Place;
use poem_openapi::registry::MetaSchema;
use uuid::Uuid;

use crate::body::scalar::{Refused, string_scalar};
use crate::page::{CURSOR_LENGTH_MAX, decode};

/// The last product of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After {
    /// Its id.
    pub(super) id: Uuid,
    /// Its price in minor units, where prices decide the order.
    pub(super) price: Option<i64>,
}

/// A cursor to the product after this one, in an order by creation or by price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ListCursor(pub(super) After);

string_scalar!([] ListCursor);

/// A cursor to the match after this one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SearchCursor(pub(super) Place);

string_scalar!([] SearchCursor);

fn cursor_schema() -> MetaSchema {
    MetaSchema { max_length: Some(CURSOR_LENGTH_MAX), ..MetaSchema::new("string") }
}

/// The two parts of a cursor, of `N` bytes and an id.
fn parts<const N: usize>(bytes: &[u8]) -> ([u8; N], Uuid) {
    let (head, id) = bytes.split_at(N);
    let id = Uuid::from_slice(id).expect("a cursor has 16 bytes more");
    (head.try_into().expect("the head has its length"), id)
}

impl ListCursor {
    fn schema() -> MetaSchema {
        cursor_schema()
    }

    fn parse(text: &str) -> Result<ListCursor, Refused> {
        if let Ok(bytes) = decode::<16>(text) {
            return Ok(ListCursor(After { id: Uuid::from_bytes(bytes), price: None }));
        }
        let (price, id) = parts(&decode::<24>(text)?);
        Ok(ListCursor(After { id, price: Some(i64::from_be_bytes(price)) }))
    }

    /// The cursor as text.
    pub(super) fn encode(after: After) -> String {
        let price = after.price.map(i64::to_be_bytes).unwrap_or_default();
        let head = if after.price.is_some() { price.as_slice() } else { &[] };
        BASE64_URL_SAFE_NO_PAD.encode([head, after.id.as_bytes()].concat())
    }
}

impl SearchCursor {
    fn schema() -> MetaSchema {
        cursor_schema()
    }

    fn parse(text: &str) -> Result<SearchCursor, Refused> {
        let (rank, id) = parts(&decode::<20>(text)?);
        Ok(SearchCursor(Place { rank: f32::from_be_bytes(rank), id }))
    }

    /// The cursor as text.
    pub(super) fn encode(place: Place) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([place.rank.to_be_bytes().as_slice(), place.id.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let id = Uuid::now_v7();
        for after in [After { id, price: None }, After { id, price: Some(250) }] {
            assert_eq!(ListCursor::parse(&ListCursor::encode(after)).unwrap().0, after);
        }
        let place = Place { rank: 0.607_927_1, id };
        assert_eq!(SearchCursor::parse(&SearchCursor::encode(place)).unwrap().0, place);
        assert!(ListCursor::parse(&SearchCursor::encode(place)).is_err());
        assert!(SearchCursor::parse("%").is_err());
    }
}
