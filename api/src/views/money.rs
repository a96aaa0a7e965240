//! Money in an answer.

use ledger::{Currency, Money};
use poem_openapi::Object;
use serde::Serialize;

/// An exact amount of one currency.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Money")]
pub(crate) struct MoneyView {
    /// A decimal number with the decimals of its currency.
    #[oai(validator(pattern = r"^-?[0-9]+(\.[0-9]+)?$"))]
    pub amount: String,
    /// The currency, by ISO 4217.
    #[oai(validator(pattern = "^[A-Z]{3}$"))]
    pub currency: String,
}

impl MoneyView {
    /// So many minor units of a currency.
    pub(crate) fn of(minor: i128, currency: Currency) -> MoneyView {
        Money { minor, currency }.into()
    }
}

impl From<Money> for MoneyView {
    fn from(money: Money) -> MoneyView {
        MoneyView { amount: money.to_decimal_string(), currency: money.currency.code().to_owned() }
    }
}
