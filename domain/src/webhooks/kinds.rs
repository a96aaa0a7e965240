//! Which kinds of event an endpoint gets.

use crate::error::FieldError;

/// How many patterns an endpoint may have.
pub const KINDS_MAX: usize = 50;

/// How long a pattern may be, in bytes.
const PATTERN_BYTES_MAX: usize = 64;

/// Whether the patterns let this kind through: it is one of them, it begins as one that ends in `.*` does, or there are none.
pub fn lets_through(patterns: &[String], kind: &str) -> bool {
    let fits = |pattern: &String| match pattern.strip_suffix(".*") {
        Some(area) => kind.strip_prefix(area).is_some_and(|rest| rest.starts_with('.')),
        None => pattern == kind,
    };
    patterns.is_empty() || patterns.iter().any(fits)
}

/// Says which of the patterns are none.
///
/// # Errors
/// Each that is neither a kind, such as `transaction.recorded`, nor an area, such as `transaction.*`.
pub(super) fn check(patterns: &[String]) -> Result<(), Vec<FieldError>> {
    let wrong = patterns.iter().enumerate().filter(|(_, pattern)| !is_pattern(pattern));
    let errors: Vec<FieldError> = wrong
        .map(|(index, _)| FieldError {
            pointer: format!("/kinds/{index}"),
            code: "invalid_kind",
            detail: "must be a kind of event, such as transaction.recorded, or of an area, such as transaction.*"
                .to_owned(),
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn is_pattern(pattern: &str) -> bool {
    let words = pattern.strip_suffix(".*").unwrap_or(pattern);
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    pattern.len() <= PATTERN_BYTES_MAX && words.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_kind_or_an_area() {
        let patterns = |list: &[&str]| list.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>();
        assert!(lets_through(&[], "user.erased"));
        let some = patterns(&["transaction.*", "user.erased"]);
        for (kind, through) in [
            ("transaction.recorded", true),
            ("transaction.hold.expired", true),
            ("transactions.recorded", false),
            ("transaction", false),
            ("user.erased", true),
            ("user.erased.twice", false),
        ] {
            assert_eq!(lets_through(&some, kind), through, "{kind}");
        }
        assert!(check(&patterns(&["transaction.*", "user.erased", "password_reset.*"])).is_ok());
        for wrong in ["", "*", ".*", "a..b", "A.b", "a.*.b", "a b", &"a".repeat(65)] {
            assert!(check(&patterns(&[wrong])).is_err(), "{wrong}");
        }
    }
}
