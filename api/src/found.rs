//! The answer to reading one resource: the resource with its `ETag`, or that the caller has it already.

use poem::http::header;
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::ApiResponse;
use poem_openapi::types::Type;
use serde::Serialize;

use crate::reply::Reply;

/// A resource that was read.
#[derive(ApiResponse)]
pub(crate) enum Found<T: Type> {
    /// The resource.
    #[oai(status = 200)]
    Found(
        Reply<T>,
        /// Changes whenever the resource does.
        #[oai(header = "ETag")]
        String,
    ),
    /// The resource is still what the request's `If-None-Match` names.
    #[oai(status = 304)]
    NotModified(
        /// The tag it still has.
        #[oai(header = "ETag")]
        String,
    ),
}

impl<T: Type + Serialize> Found<T> {
    /// Shows `resource`, unless the caller has it already.
    pub(crate) fn of(resource: &T, known: &KnownTags) -> Found<T> {
        let reply = Reply::of(resource);
        let tag = reply.tag();
        if known.contains(&tag) { Found::NotModified(tag) } else { Found::Found(reply, tag) }
    }
}

/// The tags that the caller has, from `If-None-Match` (RFC 9110).
pub(crate) struct KnownTags(Vec<String>);

impl KnownTags {
    /// Those of the request.
    pub(crate) fn of(request: &Request) -> KnownTags {
        let given = request.headers().get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        KnownTags(given.flat_map(|list| list.split(',')).map(|tag| tag.trim().to_owned()).collect())
    }

    /// Whether the caller has what is tagged so.
    pub(crate) fn contains(&self, tag: &str) -> bool {
        self.0.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    }
}

impl<'a> FromRequest<'a> for KnownTags {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<KnownTags> {
        Ok(KnownTags::of(request))
    }
}
