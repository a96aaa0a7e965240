//! A range of prices.

use ledger::{Currency, Money};

use crate::error::Error;

/// Prices of one currency, from one bound to the other, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prices {
    /// The currency; none: any, and then there are no bounds.
    pub currency: Option<Currency>,
    /// The least, in minor units.
    pub min: Option<i64>,
    /// The most, in minor units.
    pub max: Option<i64>,
}

impl Prices {
    /// The range between two amounts, given as text, of one currency.
    ///
    /// # Errors
    /// [`Error::Invalid`] when a bound is no amount of the currency, or there is a bound and no currency; the pointers are `/currency`,
    /// `/price_min` and `/price_max`.
    pub fn parse(currency: Option<Currency>, min: Option<&str>, max: Option<&str>) -> Result<Prices, Error> {
        let bound = |pointer: &str, text: Option<&str>| {
            let Some(text) = text else { return Ok(None) };
            let Some(currency) = currency else {
                return Err(Error::field("/currency", "required", "a bound of prices needs their currency"));
            };
            let refused =
                || Error::field(pointer, "malformed_amount", format!("must be an amount of {}", currency.code()));
            let money = Money::parse(text, currency).map_err(|_| refused())?;
            i64::try_from(money.minor).map(Some).map_err(|_| refused())
        };
        Ok(Prices { currency, min: bound("/price_min", min)?, max: bound("/price_max", max)? })
    }

    /// The code of the currency.
    pub(super) fn code(&self) -> Option<&'static str> {
        self.currency.map(|currency| currency.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_an_exact_amount_of_its_currency() {
        let pounds = Some(Currency::GBP);
        let range = Prices::parse(pounds, Some("2.5"), Some("10")).unwrap();
        assert_eq!((range.min, range.max), (Some(250), Some(1_000)));
        assert!(Prices::parse(None, None, None).is_ok());
        for (currency, min) in [(None, "1"), (pounds, "1e3"), (pounds, "2.555"), (pounds, "")] {
            assert!(Prices::parse(currency, Some(min), None).is_err(), "{min}");
        }
    }
}
