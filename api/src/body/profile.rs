//! What a user says about itself, as texts of a shape: each has a pattern in the document and the same rule in code.

use domain::access::scope::Scope;
use poem_openapi::registry::MetaSchema;

use super::scalar::{Refused, string_scalar};

/// Declares a text of `MIN..=MAX` characters with a pattern, and the function that holds the same rule.
macro_rules! shaped {
    (
        $(#[doc = $doc:literal])+
        $name:ident, $min:literal..=$max:literal, $pattern:literal, $code:literal, $detail:literal, $fits:expr
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) String);

        string_scalar!([] $name);

        impl $name {
            fn schema() -> MetaSchema {
                let (min_length, max_length) = (Some($min), Some($max));
                MetaSchema { min_length, max_length, pattern: Some($pattern.to_owned()), ..MetaSchema::new("string") }
            }

            fn parse(text: &str) -> Result<$name, Refused> {
                let length = text.chars().count();
                if length > $max {
                    let detail = format!("This has {length} characters; at most {} are allowed.", $max);
                    return Err(("too_long", detail));
                }
                let fits: fn(&str) -> bool = $fits;
                if length >= $min && fits(text) { Ok($name(text.to_owned())) } else { Err(($code, $detail.to_owned())) }
            }
        }

        /// Never its content: it is personal.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}

shaped! {
    /// An e-mail address: one `@`, something on both sides, no white space.
    Email, 3..=254, r"^[^\s@\u0000-\u001F\u007F-\u009F]+@[^\s@\u0000-\u001F\u007F-\u009F]+$",
    "email", "This must be an e-mail address, such as ada@example.org.",
    |text| {
        let parts = text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
        parts && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}')
    }
}

shaped! {
    /// A name of one line.
    Name, 1..=200, r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
    "blank", "This must not be blank, and holds no control characters.",
    |text| !text.contains(char::is_control) && text.contains(|c: char| !c.is_whitespace() && c != '\u{feff}')
}

shaped! {
    /// The name of a country, of one line.
    Country, 1..=100, r"^[^\u0000-\u001F\u007F-\u009F]*[^\s\u0000-\u001F\u007F-\u009F][^\u0000-\u001F\u007F-\u009F]*$",
    "blank", "This must not be blank, and holds no control characters.",
    |text| !text.contains(char::is_control) && text.contains(|c: char| !c.is_whitespace() && c != '\u{feff}')
}

shaped! {
    /// A telephone number in E.164.
    Phone, 8..=16, r"^\+[1-9][0-9]{6,14}$",
    "phone", "This must be a telephone number in E.164, such as +442079460000.",
    |text| {
        let digits = text.strip_prefix('+').unwrap_or_default();
        (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
    }
}

shaped! {
    /// A language tag of BCP 47.
    Locale, 2..=35, r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$",
    "locale", "This must be a language tag of BCP 47, such as en-GB.",
    |text| {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let is_language = (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
        is_language && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    }
}

shaped! {
    /// A name as the IANA time zone database has them.
    TimeZone, 1..=64, r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
    "time_zone", "This must be the name of a time zone, such as Europe/London.",
    |text| {
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
        text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.split('/').all(is_part)
    }
}

shaped! {
    /// An https address.
    HttpsUrl, 9..=500, r"^https://[!-~]+$",
    "https_url", "This must be an https address of plain characters.",
    |text| text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()))
}

/// The name of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScopeName(pub(crate) Scope);

string_scalar!([] ScopeName);

impl ScopeName {
    fn schema() -> MetaSchema {
        let enum_items = Scope::ALL.iter().map(|scope| scope.as_str().into()).collect();
        MetaSchema { enum_items, ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<ScopeName, Refused> {
        Scope::parse(text)
            .map(ScopeName)
            .ok_or_else(|| ("unknown_value", "This must be the name of a scope.".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_takes_what_it_is_for_and_nothing_else() {
        let taken: [(&[&str], &[&str]); 5] = [
            (&["ada@example.org", "ü@b"], &["", "a@", "@b", "a b@c", "a@b@c", "a@b\n"]),
            (&["+442079460000"], &["442079460000", "+0123456789", "+44 20 7946", "+1234567890123456"]),
            (&["en", "en-GB", "zh-Hant-TW"], &["e", "en_GB", "en-", "english", "en-123456789"]),
            (&["Europe/London", "UTC", "Etc/GMT+1"], &["", "/", "Europe/", "Euro pe", "1/2"]),
            (&["https://example.org/a.png"], &["http://example.org", "https://", "https://a b"]),
        ];
        let parsers: [fn(&str) -> bool; 5] = [
            |text| Email::parse(text).is_ok(),
            |text| Phone::parse(text).is_ok(),
            |text| Locale::parse(text).is_ok(),
            |text| TimeZone::parse(text).is_ok(),
            |text| HttpsUrl::parse(text).is_ok(),
        ];
        for ((good, bad), takes) in taken.iter().zip(parsers) {
            good.iter().for_each(|text| assert!(takes(text), "{text}"));
            bad.iter().for_each(|text| assert!(!takes(text), "{text}"));
        }
        assert!(Name::parse(" a ").is_ok() && Name::parse("  ").is_err() && Name::parse("a\n").is_err());
    }
}
