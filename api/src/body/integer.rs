//! Bounded whole numbers.

use poem_openapi::registry::MetaSchema;

use super::read::{FromJson, Reader};
use super::scalar::{Refused, scalar};
use crate::json::Json;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Integer<const MIN: i64, const MAX: i64>(pub(crate) i64);

scalar!([const MIN: i64, const MAX: i64] Integer<MIN, MAX>);

impl<const MIN: i64, const MAX: i64> Integer<MIN, MAX> {
    fn schema() -> MetaSchema {
        // One beyond 32 bits is that of the format.
        let bound = |bound: i64| i32::try_from(bound).ok().map(f64::from);
        let format = Some(if MAX <= i32::MAX.into() { "int32" } else { "int64" });
        MetaSchema { format, minimum: bound(MIN), maximum: bound(MAX), ..MetaSchema::new("integer") }
    }

    fn parse(text: &str) -> Result<Self, Refused> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_plain { text.parse().ok() } else { None };
        number.ok_or(("wrong_type", "This must be a whole number.".to_owned())).and_then(Self::bounded)
    }

    fn bounded(number: i128) -> Result<Self, Refused> {
        match i64::try_from(number) {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Integer(number)),
            _ => Err(("out_of_range", format!("This must be from {MIN} to {MAX}."))),
        }
    }
}

impl<const MIN: i64, const MAX: i64> FromJson for Integer<MIN, MAX> {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<Self> {
        match json {
            Json::Integer(number) => {
                Self::bounded(number).map_err(|(code, detail)| reader.fail::<()>(code, detail)).ok()
            }
            Json::Number => reader.fail("wrong_type", "This must be a whole number without fraction or exponent."),
            other => reader.wrong_type("a whole number", &other),
        }
    }
}
