//! Amounts of money: whole minor units, exact in and exact out.

use crate::Currency;

/// The largest amount, either side of zero, in minor units. Nine times that still fits the `bigint` of a balance.
pub const MINOR_MAX: i128 = 1_000_000_000_000_000_000;

/// An amount of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units, such as pence.
    pub minor: i128,
    /// The currency, which fixes what a minor unit is.
    pub currency: Currency,
}

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point between digits and at most one minus before them.
    #[error("an amount is digits, with a point and decimals if need be, such as 12.50")]
    Malformed,
    /// More decimals than the currency has; nothing is rounded.
    #[error("the currency has {scale} decimals, the amount has more")]
    TooManyDecimals {
        /// The decimals that the currency has.
        scale: u8,
    },
    /// More than 10^18 minor units.
    #[error("an amount is at most 10^18 minor units")]
    OutOfRange,
}

impl Money {
    /// Reads an amount such as `12.50`, `-3` or `0.005`: digits, then at will a point and digits; no sign but a minus, no
    /// exponent, no space, no separator.
    ///
    /// # Errors
    /// When the text is anything else, has more decimals than the currency, or is beyond 10^18 minor units.
    pub fn parse(amount: &str, currency: Currency) -> Result<Money, AmountError> {
        let (negative, digits) = match amount.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, amount),
        };
        let (whole, decimals) = match digits.split_once('.') {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (digits, None),
        };
        if !is_digits(whole) || decimals.is_some_and(|decimals| !is_digits(decimals)) {
            return Err(AmountError::Malformed);
        }
        let (decimals, scale) = (decimals.unwrap_or(""), currency.scale());
        if decimals.len() > usize::from(scale) {
            return Err(AmountError::TooManyDecimals { scale });
        }
        let minor = minor_units(whole, decimals, scale)?;
        Ok(Money { minor: if negative { -minor } else { minor }, currency })
    }

    /// The amount with exactly the decimals of its currency, as [`Money::parse`] reads it.
    pub fn to_decimal_string(self) -> String {
        let scale = usize::from(self.currency.scale());
        assert!(scale <= 4, "no currency has more than four decimals");
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.minor.unsigned_abs(), width = scale + 1);
        let (whole, decimals) = digits.split_at(digits.len() - scale);
        assert!(!whole.is_empty(), "the padding leaves a digit before the point");
        if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{decimals}") }
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.to_decimal_string(), self.currency)
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The digits as one number, with `scale` digits after the point. Checks the range on each digit, so that a text of any
/// length is refused before anything overflows.
fn minor_units(whole: &str, decimals: &str, scale: u8) -> Result<i128, AmountError> {
    let padding = usize::from(scale) - decimals.len();
    let mut minor: i128 = 0;
    for digit in whole.bytes().chain(decimals.bytes()).chain(std::iter::repeat_n(b'0', padding)) {
        minor = minor * 10 + i128::from(digit - b'0');
        if minor > MINOR_MAX {
            return Err(AmountError::OutOfRange);
        }
    }
    assert!((0..=MINOR_MAX).contains(&minor));
    Ok(minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_that_are_read() {
        let read = |amount, currency| Money::parse(amount, currency).map(|money| money.minor);
        assert_eq!(read("12.50", Currency::GBP), Ok(1250));
        assert_eq!(read("12.5", Currency::GBP), Ok(1250));
        assert_eq!(read("0012", Currency::GBP), Ok(1200));
        assert_eq!(read("-0.01", Currency::GBP), Ok(-1));
        assert_eq!(read("7", Currency::JPY), Ok(7));
        assert_eq!(read("0.005", Currency::BHD), Ok(5));
        assert_eq!(read("10000000000000000.00", Currency::GBP), Ok(MINOR_MAX));
    }

    #[test]
    fn amounts_that_are_refused() {
        let refused = |amount, currency| Money::parse(amount, currency).expect_err(amount);
        let malformed =
            ["", "-", ".", "1.", ".5", "+1", "1e3", " 1", "1 ", "1,000", "1.2.3", "--1", "0x1", "NaN", "١", "1_0"];
        for amount in malformed {
            assert_eq!(refused(amount, Currency::GBP), AmountError::Malformed, "{amount:?}");
        }
        assert_eq!(refused("12.345", Currency::GBP), AmountError::TooManyDecimals { scale: 2 });
        assert_eq!(refused("1.0", Currency::JPY), AmountError::TooManyDecimals { scale: 0 });
        assert_eq!(refused("10000000000000000.01", Currency::GBP), AmountError::OutOfRange);
        assert_eq!(refused(&"9".repeat(10_000), Currency::GBP), AmountError::OutOfRange);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(minor in -MINOR_MAX..=MINOR_MAX, index in any::<prop::sample::Index>()) {
            let currencies: Vec<Currency> = Currency::all().collect();
            let money = Money { minor, currency: *index.get(&currencies) };
            prop_assert_eq!(Money::parse(&money.to_decimal_string(), money.currency), Ok(money));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = Money::parse(&text, Currency::GBP);
        }
    }
}
