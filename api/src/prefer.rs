//! The `Prefer` header (RFC 7240), of which `wait` is understood.

use std::time::Duration;

use poem_openapi::registry::MetaSchema;

use crate::body::scalar::{Refused, string_scalar};

/// The longest that `wait` may hold a request.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How long the caller would wait, at most [`WAIT_MAX`]; none if it does not say. A preference that is not understood is ignored, as
/// the RFC has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prefer(pub(crate) Option<Duration>);

string_scalar!([] Prefer);

impl Prefer {
    fn schema() -> MetaSchema {
        MetaSchema { example: Some("wait=10".into()), ..MetaSchema::new("string") }
    }

    /// Reads a list of preferences; it never refuses.
    pub(crate) fn parse(text: &str) -> Result<Prefer, Refused> {
        let wait = text.split(',').find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"').parse().ok())?
        });
        Ok(Prefer(wait.map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_is_read_and_bounded() {
        let wait = |text: &str| Prefer::parse(text).ok().and_then(|Prefer(wait)| wait).map(|wait| wait.as_secs());
        assert_eq!(wait("wait=5"), Some(5));
        assert_eq!(wait("respond-async, Wait = 7"), Some(7));
        assert_eq!(wait("wait=999"), Some(30));
        assert_eq!(wait("wait=-1"), None);
        assert_eq!(wait("return=minimal"), None);
    }
}
