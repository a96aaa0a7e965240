//! Keyset pagination: a page, the opaque cursor to the next one, and its `Link`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use poem::http::Uri;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::{ParseFromJSON, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use serde::Serialize;
use uuid::Uuid;

use crate::body::integer::Integer;
use crate::body::scalar::{Refused, string_scalar};
use crate::reply::Reply;

/// How many items a page has at most.
pub(crate) type Limit = Integer<1, 200>;

/// How many a page has when nobody says.
pub(crate) const LIMIT_DEFAULT: Limit = Integer(50);

/// A page of a list.
#[derive(Debug, Object, Serialize)]
pub(crate) struct Page<T: Type + ParseFromJSON + ToJSON> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; null on the last.
    pub next_cursor: Option<String>,
    /// Whether there is a next page.
    pub has_more: bool,
}

impl<T: Type + ParseFromJSON + ToJSON> Page<T> {
    /// A page of views, and the cursor to what comes after the last one.
    pub(crate) fn of(items: Vec<T>, has_more: bool, cursor: impl Fn(&T) -> String) -> Page<T> {
        let next_cursor = items.last().filter(|_| has_more).map(cursor);
        Page { items, next_cursor, has_more }
    }

    /// The `Link` header (RFC 8288) to the next page of the list at `uri`.
    pub(crate) fn link(&self, uri: &Uri) -> Option<String> {
        Some(next_link(uri, self.next_cursor.as_ref()?))
    }
}

/// The `Link` header (RFC 8288) from a page of the list at `uri` to the one that begins at `cursor`.
pub(crate) fn next_link(uri: &Uri, cursor: &str) -> String {
    let kept =
        uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("after="));
    let query: String = kept.map(|pair| format!("{pair}&")).collect();
    format!("<{}?{query}after={cursor}>; rel=\"next\"", uri.path())
}

/// The domain's words for which page is asked for.
pub(crate) fn page(after: Option<IdCursor>, limit: Option<Limit>) -> domain::page::Page {
    let limit = limit.unwrap_or(LIMIT_DEFAULT).0;
    domain::page::Page { after: after.map(|cursor| cursor.0), limit: u16::try_from(limit).expect("a limit is small") }
}

/// The answer that shows a page.
#[derive(ApiResponse)]
pub(crate) enum Listed<T: Type + ParseFromJSON + ToJSON> {
    /// A page of the list.
    #[oai(status = 200)]
    Page(
        Reply<Page<T>>,
        /// The next page (RFC 8288), if there is one.
        #[oai(header = "Link")]
        Option<String>,
    ),
}

impl<T: Type + ParseFromJSON + ToJSON + Serialize> Listed<T> {
    /// Shows a page of the list at `uri`.
    pub(crate) fn of(page: &Page<T>, uri: &Uri) -> Listed<T> {
        Listed::Page(Reply::of(page), page.link(uri))
    }
}

/// A cursor to the item after the one with this id. It carries no right: it only says where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdCursor(pub(crate) Uuid);

string_scalar!([] IdCursor);

impl IdCursor {
    fn schema() -> MetaSchema {
        // 16 bytes in base64url, whose last character carries four of their bits less than the others.
        cursor("^[A-Za-z0-9_-]{21}[AQgw]$")
    }

    fn parse(text: &str) -> Result<IdCursor, Refused> {
        decode(text).map(|bytes| IdCursor(Uuid::from_bytes(bytes)))
    }

    /// The cursor as text.
    pub(crate) fn encode(id: Uuid) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(id.as_bytes())
    }
}

/// A cursor to the entry before the one of this version of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionCursor(pub(crate) i64);

string_scalar!([] VersionCursor);

impl VersionCursor {
    fn schema() -> MetaSchema {
        // The same of 8 bytes.
        cursor("^[A-Za-z0-9_-]{10}[AEIMQUYcgkosw048]$")
    }

    fn parse(text: &str) -> Result<VersionCursor, Refused> {
        decode(text).map(|bytes| VersionCursor(i64::from_be_bytes(bytes)))
    }

    /// The cursor as text.
    pub(crate) fn encode(version: i64) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(version.to_be_bytes())
    }
}

/// A cursor to the item after the one of this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameCursor(pub(crate) String);

string_scalar!([] NameCursor);

impl NameCursor {
    fn schema() -> MetaSchema {
        MetaSchema { max_length: Some(CURSOR_LENGTH_MAX), ..cursor("^[A-Za-z0-9_-]*$") }
    }

    fn parse(text: &str) -> Result<NameCursor, Refused> {
        let name = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // As long as the schema says, and nothing that the database would not take.
        let name = name.filter(|name| text.len() <= CURSOR_LENGTH_MAX && !name.contains('\0'));
        name.map(NameCursor).ok_or_else(no_cursor)
    }

    /// The cursor as text.
    pub(crate) fn encode(name: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(name)
    }
}

/// Enough for every kind of cursor: names have up to 200 bytes.
pub(crate) const CURSOR_LENGTH_MAX: usize = 300;

fn cursor(pattern: &str) -> MetaSchema {
    MetaSchema { pattern: Some(pattern.to_owned()), ..MetaSchema::new("string") }
}

pub(crate) fn decode<const N: usize>(text: &str) -> Result<[u8; N], Refused> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(no_cursor)
}

fn no_cursor() -> Refused {
    ("invalid_cursor", "This is no cursor of this list: take next_cursor from a page of it.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_another_lists_does_not() {
        let id = Uuid::now_v7();
        assert_eq!(IdCursor::parse(&IdCursor::encode(id)), Ok(IdCursor(id)));
        assert_eq!(VersionCursor::parse(&VersionCursor::encode(7)), Ok(VersionCursor(7)));
        assert!(IdCursor::parse(&VersionCursor::encode(7)).is_err());
        assert!(IdCursor::parse("%%%").is_err());
    }

    #[test]
    fn a_link_keeps_the_filters() {
        let page = Page::of(vec!["1".to_owned(), "2".to_owned()], true, String::clone);
        let link = page.link(&Uri::from_static("/api/v1/things?limit=2&after=1&kind=x"));
        assert_eq!(link.as_deref(), Some("</api/v1/things?limit=2&kind=x&after=2>; rel=\"next\""));
    }
}
