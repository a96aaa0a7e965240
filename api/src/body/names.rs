//! Names in parameters: several with commas between, and that of a limit.

use poem_openapi::registry::MetaSchema;

use super::scalar::{Refused, string_scalar};

/// How many names one parameter takes.
const NAMES_MAX: usize = 20;

/// Names of letters, digits, `_`, `.`, `:` and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names(pub(crate) Vec<String>);

string_scalar!([] Names);

impl Names {
    fn schema() -> MetaSchema {
        let pattern = Some("^[A-Za-z0-9_.:-]{1,100}(,[A-Za-z0-9_.:-]{1,100}){0,19}$".to_owned());
        MetaSchema { pattern, max_length: Some(2_019), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<Names, Refused> {
        let names: Vec<String> = text.split(',').map(str::to_owned).collect();
        let is_name = |name: &String| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
            (1..=100).contains(&name.len()) && name.bytes().all(fits)
        };
        if names.len() > NAMES_MAX || !names.iter().all(is_name) {
            return Err(("invalid_names", format!("This must be 1 to {NAMES_MAX} names with commas between.")));
        }
        Ok(Names(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parted_by_commas() {
        assert_eq!(Names::parse("ledger,user:1").unwrap(), Names(vec!["ledger".to_owned(), "user:1".to_owned()]));
        for wrong in ["", ",", "a,", "a b", "a, b", "ü", &"a,".repeat(20), &"a".repeat(101)] {
            assert!(Names::parse(wrong).is_err(), "{wrong}");
        }
    }
}

/// The name of a limit, as the queue takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LimitName(pub(crate) String);

string_scalar!([] LimitName);

impl LimitName {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some("^[A-Za-z0-9_.:/-]{1,128}$".to_owned()), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<LimitName, Refused> {
        let is_fit = |one: u8| one.is_ascii_alphanumeric() || b"_.:/-".contains(&one);
        match text.len() {
            1..=128 if text.bytes().all(is_fit) => Ok(LimitName(text.to_owned())),
            _ => Err(("limit_name", "This must be 1 to 128 letters, digits and `_ - . : /`.".to_owned())),
        }
    }
}
