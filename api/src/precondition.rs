//! The `If-Match` header (RFC 9110, RFC 6585): a change of what has changed since it was read is refused.

use poem::http::StatusCode;
use poem_openapi::registry::MetaSchema;
use poem_openapi::types::Type;
use serde::Serialize;

use crate::body::scalar::{Refused, string_scalar};
use crate::problem::Problem;
use crate::reply::Reply;

/// The tags that the caller takes the resource to have, as its `ETag` gave them; `*` fits whatever is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IfMatch(Vec<String>);

string_scalar!([] IfMatch);

/// Longer lists are nobody's.
const LENGTH_MAX: usize = 1_000;

impl IfMatch {
    fn schema() -> MetaSchema {
        MetaSchema { min_length: Some(1), max_length: Some(LENGTH_MAX), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<IfMatch, Refused> {
        if text.is_empty() || text.len() > LENGTH_MAX {
            return Err(("invalid_tag", "This must be the ETag of the resource as you read it.".to_owned()));
        }
        Ok(IfMatch(text.split(',').map(|tag| tag.trim().to_owned()).collect()))
    }

    /// Whether the resource, as [`crate::found::Found`] would show it, is what the caller takes it for. A weak tag never is.
    pub(crate) fn holds<T: Type + Serialize>(&self, resource: &T) -> bool {
        let tag = Reply::of(resource).tag();
        self.0.iter().any(|given| given == "*" || *given == tag)
    }
}

/// The header's value; without one the change is refused, so that nobody overwrites what they have not read.
pub(crate) fn required(given: Option<IfMatch>) -> Result<IfMatch, Problem> {
    let detail = "This takes the header If-Match with the ETag of the resource as you read it.";
    given.ok_or_else(|| Problem::new(StatusCode::PRECONDITION_REQUIRED, "precondition_required", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_holds_for_what_it_was_made_of() {
        let tag = Reply::of(&"one".to_owned()).tag();
        let holds = |text: &str| IfMatch::parse(text).is_ok_and(|given| given.holds(&"one".to_owned()));
        assert!(holds(&tag) && holds("*") && holds(&format!("\"other\", {tag}")));
        assert!(!holds("\"other\"") && !holds(&format!("W/{tag}")) && !holds(""));
    }
}
