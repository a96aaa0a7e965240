//! Texts: strings with bounds, identifiers, times.

use std::fmt;
use std::ops::Deref;

use chrono::{DateTime, SubsecRound, Utc};
use poem_openapi::registry::MetaSchema;
use uuid::Uuid;

use super::scalar::{Refused, string_scalar};

/// A string of `MIN` to `MAX` characters without control characters (line breaks and tabs are fine).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text<const MIN: usize, const MAX: usize>(String);

string_scalar!([const MIN: usize, const MAX: usize] Text<MIN, MAX>);

impl<const MIN: usize, const MAX: usize> Text<MIN, MAX> {
    fn schema() -> MetaSchema {
        let bounds = MetaSchema { max_length: Some(MAX), ..MetaSchema::new("string") };
        MetaSchema { min_length: (MIN > 0).then_some(MIN), pattern: Some(PRINTABLE.to_owned()), ..bounds }
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let length = text.chars().count();
        if length < MIN {
            return Err(("too_short", format!("This needs at least {MIN} characters.")));
        }
        if length > MAX {
            return Err(("too_long", format!("This has {length} characters; at most {MAX} are allowed.")));
        }
        if let Some(control) = text.chars().find(|&c| is_forbidden(c)) {
            let detail = format!("This contains the control character U+{:04X}.", u32::from(control));
            return Err(("control_character", detail));
        }
        Ok(Text(text.to_owned()))
    }

    /// The text itself.
    pub(crate) fn into_inner(self) -> String {
        self.0
    }
}

/// The rule of [`is_forbidden`] as a pattern that every ECMA-262 engine understands.
const PRINTABLE: &str = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$";

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

impl<const MIN: usize, const MAX: usize> Deref for Text<MIN, MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Never its content: it may be a password.
impl<const MIN: usize, const MAX: usize> fmt::Debug for Text<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// A UUID in its usual form of 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) Uuid);

string_scalar!([] Id);

impl Id {
    fn schema() -> MetaSchema {
        MetaSchema { format: Some("uuid"), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Id, Refused> {
        let refused =
            || ("invalid_uuid", "This must be a UUID, as in 0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00.".to_owned());
        // The parser also takes braces, URNs and bare hex; an id has one spelling here.
        if text.len() != 36 { Err(refused()) } else { Uuid::try_parse(text).map(Id).map_err(|_| refused()) }
    }
}

/// An RFC 3339 time with its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

string_scalar!([] Time);

impl Time {
    fn schema() -> MetaSchema {
        MetaSchema { format: Some("date-time"), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Time, Refused> {
        let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        // PostgreSQL knows no year before 4713 BC and our neighbours none with other than four digits.
        let time = time.filter(|time| (1..=9999).contains(&chrono::Datelike::year(time)));
        // Whole microseconds, as PostgreSQL keeps them: what is shown at once is what is found later.
        time.map(|time| Time(time.trunc_subsecs(6)))
            .ok_or_else(|| ("invalid_time", "This must be an RFC 3339 time, as in 2026-01-31T09:30:00Z.".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_bounded_and_printable() {
        let code = |text: &str| Text::<2, 4>::parse(text).map(|_| ()).map_err(|(code, _)| code);
        assert_eq!(code("a"), Err("too_short"));
        assert_eq!(code("abcde"), Err("too_long"));
        assert_eq!(code("a\0b"), Err("control_character"));
        assert_eq!(code("a\u{85}b"), Err("control_character"));
        assert_eq!(code("äöü\n"), Ok(()));
    }

    #[test]
    fn an_id_has_one_spelling() {
        assert!(Id::parse("0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00").is_ok());
        for wrong in ["", "1", "{0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00}", "0197a4c27c1e7d3a9f571f6f6d1f2a00"] {
            assert!(Id::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_has_an_offset_and_a_year_of_four_digits() {
        assert!(Time::parse("2026-01-31T09:30:00+01:00").is_ok());
        assert_eq!(Time::parse("2026-01-31T09:30:00.1234567Z"), Time::parse("2026-01-31T09:30:00.123456Z"));
        for wrong in ["2026-01-31", "2026-01-31T09:30:00", "0000-01-01T00:00:00Z", "+12026-01-31T09:30:00Z"] {
            assert!(Time::parse(wrong).is_err(), "{wrong}");
        }
    }
}
