//! Rules for fields: each check adds a named finding, so that a caller learns of all that is wrong at once.

use ledger::{Currency, Money};

use crate::error::{Error, FieldError};

/// Collects what is wrong.
#[derive(Debug, Default)]
pub struct Findings(Vec<FieldError>);

impl Findings {
    /// Adds one.
    pub fn add(&mut self, pointer: &str, code: &'static str, detail: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.to_owned(), code, detail: detail.into() });
    }

    /// `Ok` when nothing was found.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all findings.
    pub fn into_result(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(self.0)) }
    }

    /// A text of `min` to `max` characters, without control characters, which PostgreSQL and people's terminals refuse.
    pub fn text(&mut self, pointer: &str, value: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length < min || length > max {
            self.add(pointer, "length", format!("must have {min} to {max} characters, has {length}"));
        } else if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
            self.add(pointer, "control_character", "must not hold control characters");
        } else if min > 0 && value.trim().is_empty() {
            self.add(pointer, "blank", "must not be blank");
        }
    }

    /// [`Findings::text`] for a field that may be absent.
    pub fn optional_text(&mut self, pointer: &str, value: Option<&str>, max: usize) {
        if let Some(value) = value {
            self.text(pointer, value, 1, max);
        }
    }

    /// An e-mail address: one `@`, something on both sides, no white space.
    pub fn email(&mut self, pointer: &str, value: &str) {
        self.text(pointer, value, 3, 254);
        let parts = value.split_once('@');
        let fits = parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
        if !fits || value.contains(char::is_whitespace) {
            self.add(pointer, "email", "must be an e-mail address, such as ada@example.org");
        }
    }

    /// An amount of money above zero.
    pub fn positive(&mut self, pointer: &str, money: &Money) {
        if money.minor <= 0 {
            self.add(&format!("{pointer}/amount"), "positive", "must be more than zero");
        }
    }
}

/// The currencies that a book keeps accounts in.
pub const CURRENCIES: [Currency; 3] = [Currency::GBP, Currency::EUR, Currency::USD];

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Findings)) -> Vec<&'static str> {
        let mut findings = Findings::default();
        check(&mut findings);
        findings.0.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn email_addresses_are_told_from_other_texts() {
        for good in ["a@b", "ada.lovelace@example.org", "ü@exämple.org"] {
            assert!(codes(|f| f.email("/email", good)).is_empty(), "{good}");
        }
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\u{0}"] {
            assert!(!codes(|f| f.email("/email", bad)).is_empty(), "{bad}");
        }
    }

    #[test]
    fn texts_are_bounded_and_printable() {
        assert_eq!(codes(|f| f.text("/name", "", 1, 5)), ["length"]);
        assert_eq!(codes(|f| f.text("/name", "123456", 1, 5)), ["length"]);
        assert_eq!(codes(|f| f.text("/name", "a\u{0}b", 1, 5)), ["control_character"]);
        assert_eq!(codes(|f| f.text("/name", "   ", 1, 5)), ["blank"]);
        assert!(codes(|f| f.text("/name", "äöüß€", 1, 5)).is_empty());
    }
}
