//! Days, without a time.

use chrono::NaiveDate;
use poem_openapi::registry::MetaSchema;

use super::scalar::{Refused, string_scalar};

/// An RFC 3339 full-date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day(pub(crate) NaiveDate);

string_scalar!([] Day);

impl Day {
    fn schema() -> MetaSchema {
        MetaSchema { format: Some("date"), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Day, Refused> {
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| text.len() == 10);
        day.map(Day).ok_or_else(|| ("invalid_day", "This must be a day, as in 2026-01-31.".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_spelling() {
        assert!(Day::parse("2026-01-31").is_ok());
        for wrong in ["", "2026-1-31", "2026-02-30", "2026-01-31T00:00:00Z", "31.01.2026"] {
            assert!(Day::parse(wrong).is_err(), "{wrong}");
        }
    }
}
