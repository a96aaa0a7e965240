//! Currencies by ISO 4217, each with its fixed scale.

use serde::{Deserialize, Serialize};

/// The active codes of ISO 4217 that have minor units (list one, 2026), each with its count of decimals; sorted.
#[rustfmt::skip]
const TABLE: [(&str, u8); 164] = [
    ("AED", 2), ("AFN", 2), ("ALL", 2), ("AMD", 2), ("AOA", 2), ("ARS", 2), ("AUD", 2), ("AWG", 2), ("AZN", 2),
    ("BAM", 2), ("BBD", 2), ("BDT", 2), ("BHD", 3), ("BIF", 0), ("BMD", 2), ("BND", 2), ("BOB", 2), ("BOV", 2),
    ("BRL", 2), ("BSD", 2), ("BTN", 2), ("BWP", 2), ("BYN", 2), ("BZD", 2), ("CAD", 2), ("CDF", 2), ("CHE", 2),
    ("CHF", 2), ("CHW", 2), ("CLF", 4), ("CLP", 0), ("CNY", 2), ("COP", 2), ("COU", 2), ("CRC", 2), ("CUP", 2),
    ("CVE", 2), ("CZK", 2), ("DJF", 0), ("DKK", 2), ("DOP", 2), ("DZD", 2), ("EGP", 2), ("ERN", 2), ("ETB", 2),
    ("EUR", 2), ("FJD", 2), ("FKP", 2), ("GBP", 2), ("GEL", 2), ("GHS", 2), ("GIP", 2), ("GMD", 2), ("GNF", 0),
    ("GTQ", 2), ("GYD", 2), ("HKD", 2), ("HNL", 2), ("HTG", 2), ("HUF", 2), ("IDR", 2), ("ILS", 2), ("INR", 2),
    ("IQD", 3), ("IRR", 2), ("ISK", 0), ("JMD", 2), ("JOD", 3), ("JPY", 0), ("KES", 2), ("KGS", 2), ("KHR", 2),
    ("KMF", 0), ("KPW", 2), ("KRW", 0), ("KWD", 3), ("KYD", 2), ("KZT", 2), ("LAK", 2), ("LBP", 2), ("LKR", 2),
    ("LRD", 2), ("LSL", 2), ("LYD", 3), ("MAD", 2), ("MDL", 2), ("MGA", 2), ("MKD", 2), ("MMK", 2), ("MNT", 2),
    ("MOP", 2), ("MRU", 2), ("MUR", 2), ("MVR", 2), ("MWK", 2), ("MXN", 2), ("MXV", 2), ("MYR", 2), ("MZN", 2),
    ("NAD", 2), ("NGN", 2), ("NIO", 2), ("NOK", 2), ("NPR", 2), ("NZD", 2), ("OMR", 3), ("PAB", 2), ("PEN", 2),
    ("PGK", 2), ("PHP", 2), ("PKR", 2), ("PLN", 2), ("PYG", 0), ("QAR", 2), ("RON", 2), ("RSD", 2), ("RUB", 2),
    ("RWF", 0), ("SAR", 2), ("SBD", 2), ("SCR", 2), ("SDG", 2), ("SEK", 2), ("SGD", 2), ("SHP", 2), ("SLE", 2),
    ("SOS", 2), ("SRD", 2), ("SSP", 2), ("STN", 2), ("SVC", 2), ("SYP", 2), ("SZL", 2), ("THB", 2), ("TJS", 2),
    ("TMT", 2), ("TND", 3), ("TOP", 2), ("TRY", 2), ("TTD", 2), ("TWD", 2), ("TZS", 2), ("UAH", 2), ("UGX", 0),
    ("USD", 2), ("USN", 2), ("UYI", 0), ("UYU", 2), ("UYW", 4), ("UZS", 2), ("VED", 2), ("VES", 2), ("VND", 0),
    ("VUV", 0), ("WST", 2), ("XAF", 0), ("XCD", 2), ("XCG", 2), ("XOF", 0), ("XPF", 0), ("YER", 2), ("ZAR", 2),
    ("ZMW", 2), ("ZWG", 2),
];

/// For each three letters the place of their currency in [`TABLE`].
static INDEX: [u8; 26 * 26 * 26] = {
    let mut index = [UNKNOWN; 26 * 26 * 26];
    let mut n = 0;
    while n < TABLE.len() {
        let code = TABLE[n].0.as_bytes();
        let place = (code[0] - b'A') as usize * 676 + (code[1] - b'A') as usize * 26 + (code[2] - b'A') as usize;
        index[place] = n as u8;
        n += 1;
    }
    index
};
/// What [`INDEX`] has where there is no currency.
const UNKNOWN: u8 = u8::MAX;

/// A currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(u8);

/// The text is not the code of a currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a currency code of ISO 4217")]
pub struct UnknownCurrency(pub String);

impl Currency {
    /// Pound sterling.
    pub const GBP: Currency = Currency::known("GBP");
    /// Euro.
    pub const EUR: Currency = Currency::known("EUR");
    /// United States dollar.
    pub const USD: Currency = Currency::known("USD");
    /// Yen, which has no decimals.
    pub const JPY: Currency = Currency::known("JPY");
    /// Bahraini dinar, which has three.
    pub const BHD: Currency = Currency::known("BHD");

    /// Reads a code of three capital letters.
    ///
    /// # Errors
    /// When the table of ISO 4217 has no such code.
    pub fn parse(code: &str) -> Result<Currency, UnknownCurrency> {
        match TABLE.binary_search_by(|(known, _)| (*known).cmp(code)) {
            Ok(index) => Ok(Currency(index as u8)),
            Err(_) => Err(UnknownCurrency(code.to_owned())),
        }
    }

    /// As [`Currency::parse`], by one look into a table: leaves have a code in each leg.
    pub(crate) fn from_bytes(code: [u8; 3]) -> Option<Currency> {
        let letter = |byte: u8| byte.is_ascii_uppercase().then(|| usize::from(byte - b'A'));
        let place = (letter(code[0])? * 26 + letter(code[1])?) * 26 + letter(code[2])?;
        match INDEX[place] {
            UNKNOWN => None,
            index => Some(Currency(index)),
        }
    }

    /// The code, three capital letters.
    pub const fn code(self) -> &'static str {
        TABLE[self.0 as usize].0
    }

    /// The count of decimals that an amount can have.
    pub const fn scale(self) -> u8 {
        TABLE[self.0 as usize].1
    }

    /// All currencies, by code.
    pub fn all() -> impl Iterator<Item = Currency> {
        (0..TABLE.len()).map(|index| Currency(index as u8))
    }

    /// Finds a code while compiling, so that a constant cannot be wrong.
    const fn known(code: &str) -> Currency {
        let mut index = 0;
        while index < TABLE.len() {
            let (known, wanted) = (TABLE[index].0.as_bytes(), code.as_bytes());
            if known[0] == wanted[0] && known[1] == wanted[1] && known[2] == wanted[2] {
                return Currency(index as u8);
            }
            index += 1;
        }
        panic!("the table has no such code")
    }
}

// A currency is one byte: the table must not outgrow it.
const _: () = assert!(TABLE.len() < u8::MAX as usize);

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Currency, UnknownCurrency> {
        Currency::parse(code)
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(code: String) -> Result<Currency, UnknownCurrency> {
        Currency::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_code_is_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for currency in Currency::all() {
            assert_eq!(currency.code().len(), 3);
            assert_eq!(Currency::parse(currency.code()), Ok(currency));
            assert_eq!(Currency::from_bytes(currency.code().as_bytes().try_into().unwrap()), Some(currency));
        }
        assert_eq!((Currency::GBP.scale(), Currency::JPY.scale(), Currency::BHD.scale()), (2, 0, 3));
    }

    #[test]
    fn anything_else_is_unknown() {
        for code in ["", "gbp", "GB", "GBPX", "XXX", "BTC", "G€"] {
            assert_eq!(Currency::parse(code), Err(UnknownCurrency(code.to_owned())));
            assert!(!code.as_bytes().try_into().is_ok_and(|code| Currency::from_bytes(code).is_some()));
        }
    }
}
