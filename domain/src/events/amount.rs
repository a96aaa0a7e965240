//! Money as payloads show it: as the API does.

use ledger::Money;
use serde::Serialize;

/// An amount with all decimals of its currency, as text, which no reader rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Amount {
    amount: String,
    currency: String,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Amount {
        Amount { amount: money.to_decimal_string(), currency: money.currency.code().to_owned() }
    }
}
