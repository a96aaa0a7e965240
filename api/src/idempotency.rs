//! The `Idempotency-Key` header.

use domain::idempotency::Key;
use jobs::submitted::Repeatable;
use poem_openapi::registry::MetaSchema;
use serde_json::Value;

use crate::body::scalar::{Refused, string_scalar};

/// 1 to 255 printable ASCII characters; quotes of a structured field (RFC 8941) around them do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub(crate) String);

string_scalar!([] IdempotencyKey);

const LENGTH_MAX: usize = 255;

impl IdempotencyKey {
    fn schema() -> MetaSchema {
        let pattern = Some("^[!-~]+$".to_owned());
        MetaSchema { min_length: Some(1), max_length: Some(LENGTH_MAX), pattern, ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<IdempotencyKey, Refused> {
        let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        if (1..=LENGTH_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(IdempotencyKey(key.to_owned()));
        }
        Err(("invalid_key", format!("This must have 1 to {LENGTH_MAX} printable ASCII characters and no spaces.")))
    }
}

/// The fingerprint of a request that has no body.
pub(crate) const NO_BODY: [u8; 32] = [0; 32];

/// How the answer to one operation is kept for its repetition.
pub(crate) fn repeatable<T: ?Sized>(
    key: Option<IdempotencyKey>,
    route: &'static str,
    fingerprint: [u8; 32],
    keep: fn(&T) -> Option<Value>,
) -> Option<Repeatable<T>> {
    key.map(|IdempotencyKey(key)| Repeatable { key: Key { route, key, fingerprint }, keep })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_do_not_count() {
        assert_eq!(IdempotencyKey::parse("\"a-1\""), IdempotencyKey::parse("a-1"));
        for wrong in ["", "\"\"", "a b", "ä", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(wrong).is_err(), "{wrong}");
        }
    }
}
