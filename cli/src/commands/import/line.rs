//! One order line of an Online Retail file: its fields checked, or the first reason to refuse it.

use std::fmt;

use chrono::NaiveDateTime;

/// The columns, in order, as the header names them.
pub const COLUMNS: [&str; 8] =
    ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"];

/// The largest amount the API takes, in pence: 10^18.
const PENCE_MAX: i128 = 1_000_000_000_000_000_000;

/// Why a line is refused. A line gets the first that applies, in this order: its form, then who and what moves
/// money (customer, price, quantity), then the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Not UTF-8.
    NotUtf8,
    /// Not eight fields, or a quote that is not closed: the line is cut off.
    Truncated,
    /// No customer, so nobody's wallet pays.
    NoCustomer,
    /// The customer is not a number.
    BadCustomer,
    /// The price is not pounds with at most two decimals.
    BadPrice,
    /// The price is below zero.
    NegativePrice,
    /// The price is zero, so no money moves.
    ZeroPrice,
    /// The quantity is not a whole number.
    BadQuantity,
    /// The quantity is zero, so no money moves.
    ZeroQuantity,
    /// A cancellation (its invoice begins with C) without a negative quantity, or a sale with one.
    WrongSign,
    /// The date is not `M/D/YY H:MM`.
    BadDate,
    /// No invoice number.
    NoInvoice,
    /// No stock code, or none that the API takes: longer than 64 characters, or with control characters.
    BadStockCode,
    /// Quantity × price is more than the API takes.
    AmountTooLarge,
}

impl Reason {
    /// The name that stands in the report and in the rejects file.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::NotUtf8 => "not_utf8",
            Reason::Truncated => "truncated",
            Reason::NoCustomer => "no_customer",
            Reason::BadCustomer => "bad_customer",
            Reason::BadPrice => "bad_price",
            Reason::NegativePrice => "negative_price",
            Reason::ZeroPrice => "zero_price",
            Reason::BadQuantity => "bad_quantity",
            Reason::ZeroQuantity => "zero_quantity",
            Reason::WrongSign => "wrong_sign",
            Reason::BadDate => "bad_date",
            Reason::NoInvoice => "no_invoice",
            Reason::BadStockCode => "bad_stock_code",
            Reason::AmountTooLarge => "amount_too_large",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// An order line that can become a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the file; the header is line 1.
    pub number: u64,
    /// The product's code, as spelled.
    pub stock_code: String,
    /// The product's description without blanks around it, cut to the 200 characters of a name; may be empty.
    pub description: String,
    /// Pieces; below zero for a cancellation, never zero.
    pub quantity: i64,
    /// When it was ordered, by a clock whose zone the file does not name; taken as UTC.
    pub ordered_at: NaiveDateTime,
    /// Price of one piece in pence, above zero.
    pub price: i64,
    /// The customer's number, digits only.
    pub customer: String,
    /// The customer's country, by name; may be empty.
    pub country: String,
}

impl Line {
    /// The money it moves in pence, above zero in either direction.
    pub fn amount(&self) -> i128 {
        i128::from(self.quantity.unsigned_abs()) * i128::from(self.price)
    }

    /// Whether it takes an order back.
    pub fn is_cancellation(&self) -> bool {
        self.quantity < 0
    }

    /// Reads one line, given without its line end.
    ///
    /// # Errors
    /// The first [`Reason`] to refuse it.
    pub fn parse(number: u64, raw: &[u8]) -> Result<Line, Reason> {
        let fields = split(raw)?;
        let [invoice, stock_code, description, quantity, ordered_at, price, customer, country] = fields.each_ref();
        let customer = parse_customer(customer)?;
        let price = parse_price(price)?;
        let quantity = parse_quantity(quantity)?;
        if invoice.starts_with('C') != (quantity < 0) {
            return Err(Reason::WrongSign);
        }
        let ordered_at = NaiveDateTime::parse_from_str(ordered_at, "%m/%d/%y %H:%M").map_err(|_| Reason::BadDate)?;
        if invoice.is_empty() {
            return Err(Reason::NoInvoice);
        }
        if stock_code.is_empty() || printable(stock_code, 64) != *stock_code {
            return Err(Reason::BadStockCode);
        }
        let line = Line {
            number,
            stock_code: stock_code.clone(),
            description: printable(description, 200),
            quantity,
            ordered_at,
            price,
            customer,
            country: printable(country, 100),
        };
        if line.amount() > PENCE_MAX { Err(Reason::AmountTooLarge) } else { Ok(line) }
    }
}

/// The eight fields of a line. Each line stands alone: a quote left open spoils its own line and no other.
fn split(raw: &[u8]) -> Result<[String; 8], Reason> {
    let text = std::str::from_utf8(raw).map_err(|_not_utf8| Reason::NotUtf8)?;
    if text.bytes().filter(|byte| *byte == b'"').count() % 2 != 0 {
        return Err(Reason::Truncated);
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(raw.len().max(1))
        .from_reader(text.as_bytes());
    let record = reader.records().next().and_then(Result::ok).ok_or(Reason::Truncated)?;
    let fields: Vec<String> = record.iter().map(str::to_owned).collect();
    fields.try_into().map_err(|_wrong_count: Vec<String>| Reason::Truncated)
}

/// The first `length_max` characters of `text`, without blanks around it or control characters in it.
fn printable(text: &str, length_max: usize) -> String {
    text.trim().chars().filter(|character| !character.is_control()).take(length_max).collect()
}

fn parse_customer(text: &str) -> Result<String, Reason> {
    match text {
        "" => Err(Reason::NoCustomer),
        digits if digits.len() <= 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(digits.to_owned()),
        _ => Err(Reason::BadCustomer),
    }
}

/// Pounds with at most two decimals, to pence.
fn parse_price(text: &str) -> Result<i64, Reason> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (pounds, decimals) = digits.split_once('.').unwrap_or((digits, "00"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(pounds) || !is_number(decimals) || decimals.len() > 2 {
        return Err(Reason::BadPrice);
    }
    let pence: i64 = format!("{pounds}{decimals:0<2}").parse().map_err(|_too_long| Reason::BadPrice)?;
    match (pence, negative) {
        (0, _) => Err(Reason::ZeroPrice),
        (_, true) => Err(Reason::NegativePrice),
        (pence, false) => Ok(pence),
    }
}

/// A whole number other than zero; a product of two `i64` cannot overflow the `i128` it is multiplied in.
fn parse_quantity(text: &str) -> Result<i64, Reason> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reason::BadQuantity);
    }
    match text.parse() {
        Ok(0) => Err(Reason::ZeroQuantity),
        Ok(quantity) => Ok(quantity),
        Err(_not_a_number) => Err(Reason::BadQuantity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_line_is_read_exactly() {
        let raw = br#"536365,85123A," HEART, WHITE  ",6,12/1/10 8:26,2.5,17850,United Kingdom"#;
        let line = Line::parse(2, raw).unwrap();
        assert_eq!(line.description, "HEART, WHITE");
        assert_eq!((line.quantity, line.price, line.amount()), (6, 250, 1500));
        assert_eq!(line.ordered_at.to_string(), "2010-12-01 08:26:00");
        assert!(!line.is_cancellation());
    }

    #[test]
    fn each_refusal_has_its_reason_and_the_first_wins() {
        let table: &[(&[u8], Reason)] = &[
            (b"1,A,\xa3,1,12/1/10 8:26,1.00,17850,UK", Reason::NotUtf8),
            (b"", Reason::Truncated),
            (b"537", Reason::Truncated),
            (b"1,A,x,1,12/1/10 8:26,1.00,17850", Reason::Truncated),
            (b"1,A,x,1,12/1/10 8:26,1.00,17850,UK,more", Reason::Truncated),
            (b"1,A,\"x,1,12/1/10 8:26,1.00,17850,UK", Reason::Truncated),
            (b"1,A,x,0,12/1/10 8:26,0,,UK", Reason::NoCustomer),
            (b"1,A,x,0,12/1/10 8:26,0,17850.0,UK", Reason::BadCustomer),
            (b"1,A,x,0,12/1/10 8:26,1.005,17850,UK", Reason::BadPrice),
            (b"1,A,x,0,12/1/10 8:26,1e3,17850,UK", Reason::BadPrice),
            (b"1,A,x,0,12/1/10 8:26,.5,17850,UK", Reason::BadPrice),
            (b"1,A,x,0,12/1/10 8:26,99999999999999999999,17850,UK", Reason::BadPrice),
            (b"1,A,x,0,12/1/10 8:26,-1.00,17850,UK", Reason::NegativePrice),
            (b"1,A,x,0,12/1/10 8:26,0.00,17850,UK", Reason::ZeroPrice),
            (b"1,A,x,six,1/13,1.00,17850,UK", Reason::BadQuantity),
            (b"1,A,x,+6,1/13,1.00,17850,UK", Reason::BadQuantity),
            (b"1,A,x,,1/13,1.00,17850,UK", Reason::BadQuantity),
            (b"1,A,x,1.5,1/13,1.00,17850,UK", Reason::BadQuantity),
            (b"1,A,x,0,1/13,1.00,17850,UK", Reason::ZeroQuantity),
            (b"1,A,x,-1,1/13,1.00,17850,UK", Reason::WrongSign),
            (b"C1,A,x,1,1/13,1.00,17850,UK", Reason::WrongSign),
            (b",,x,1,13/1/10 8:26,1.00,17850,UK", Reason::BadDate),
            (b",,x,1,12/1/10 8:26,1.00,17850,UK", Reason::NoInvoice),
            (b"1,,x,1,12/1/10 8:26,1.00,17850,UK", Reason::BadStockCode),
            (b"1,A,x,9000000000000000000,12/1/10 8:26,1.00,17850,UK", Reason::AmountTooLarge),
        ];
        for (raw, reason) in table {
            assert_eq!(Line::parse(2, raw), Err(*reason), "{}", String::from_utf8_lossy(raw));
        }
    }
}
