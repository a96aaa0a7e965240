//! Money in a body: an exact decimal string and its currency, never a number.

use std::borrow::Cow;

use ledger::{AmountError, Currency, Money};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;

use super::object::object;
use super::read::{FromJson, Reader};
use super::scalar::{Refused, string_scalar};
use crate::json::Json;

/// The code of a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CurrencyCode(pub(crate) Currency);

string_scalar!([] CurrencyCode);

impl CurrencyCode {
    fn schema() -> MetaSchema {
        MetaSchema { pattern: Some("^[A-Z]{3}$".to_owned()), example: Some("GBP".into()), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<CurrencyCode, Refused> {
        let refused =
            |_| ("unknown_currency", "This must be a currency of ISO 4217 in capitals, as in GBP.".to_owned());
        Currency::parse(text).map(CurrencyCode).map_err(refused)
    }
}

/// A decimal number as text; whether it fits its currency is checked with the currency.
#[derive(Debug)]
pub(crate) struct AmountText(pub(crate) String);

string_scalar!([] AmountText);

impl AmountText {
    fn schema() -> MetaSchema {
        let pattern = Some(r"^-?[0-9]+(\.[0-9]+)?$".to_owned());
        MetaSchema { pattern, max_length: Some(40), example: Some("12.50".into()), ..MetaSchema::new("string") }
    }

    fn parse(text: &str) -> Result<AmountText, Refused> {
        if text.len() > 40 { Err(malformed()) } else { Ok(AmountText(text.to_owned())) }
    }
}

object! {
    /// An exact amount of one currency.
    struct Amount {
        /// Digits, with a point and no more decimals than the currency has; no exponent, no sign but a minus.
        amount: AmountText,
        /// The currency, by ISO 4217.
        currency: CurrencyCode,
    }
    example { "amount": "12.50", "currency": "GBP" }
}

/// An exact amount of one currency.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MoneyField(pub(crate) Money);

impl Type for MoneyField {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        Amount::name()
    }

    fn schema_ref() -> MetaSchemaRef {
        Amount::schema_ref()
    }

    fn register(registry: &mut Registry) {
        Amount::register(registry);
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl MoneyField {
    /// So much of this currency.
    pub(crate) fn of(AmountText(amount): &AmountText, currency: Currency) -> Result<MoneyField, Refused> {
        Money::parse(amount, currency).map(MoneyField).map_err(|error| refused(&error, currency))
    }
}

impl FromJson for MoneyField {
    fn from_json(json: Json<'_>, reader: &mut Reader) -> Option<MoneyField> {
        let Amount { amount, currency: CurrencyCode(currency) } = Amount::from_json(json, reader)?;
        MoneyField::of(&amount, currency)
            .map_err(|(code, detail)| reader.in_field("amount", |reader| reader.fail::<()>(code, detail)))
            .ok()
    }
}

fn refused(error: &AmountError, currency: Currency) -> Refused {
    match error {
        AmountError::Malformed => malformed(),
        AmountError::TooManyDecimals { scale: 0 } => {
            ("too_many_decimals", format!("{} has no decimals.", currency.code()))
        }
        AmountError::TooManyDecimals { scale } => {
            ("too_many_decimals", format!("{} has {scale} decimals; nothing is rounded.", currency.code()))
        }
        AmountError::OutOfRange => ("out_of_range", "This is more than any amount can be.".to_owned()),
    }
}

fn malformed() -> Refused {
    let detail = "An amount is digits, with a point and decimals if need be, as in 12.50: no exponent, no separators.";
    ("malformed_amount", detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::parsed;
    use super::*;

    #[test]
    fn money_is_exact_or_refused_by_name() {
        let read =
            |text: &str| parsed::<MoneyField>(text).map(|money| money.0.minor).map_err(|problem| problem.to_string());
        assert_eq!(read(r#"{"amount":"12.5","currency":"GBP"}"#), Ok(1250));
        for wrong in [
            r#"{"amount":12.5,"currency":"GBP"}"#,
            r#"{"amount":true,"currency":"GBP"}"#,
            r#"{"amount":"1e3","currency":"GBP"}"#,
            r#"{"amount":"12.345","currency":"GBP"}"#,
            r#"{"amount":"1000000000000000000000000000000","currency":"GBP"}"#,
            r#"{"amount":"1","currency":"XYZ"}"#,
            r#"{"amount":"1","currency":"gbp"}"#,
            r#"{"amount":"1"}"#,
            r#"{"amount":"1","amount":"2","currency":"GBP"}"#,
            r#""1 GBP""#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
