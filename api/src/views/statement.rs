//! An account's statement as comma-separated values (RFC 4180).

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::transactions::statement::{Line, Statement};
use futures::stream::BoxStream;
use hyper::body::Bytes;
use ledger::{Currency, Money};
use poem::http::{HeaderValue, header};
use poem::{Body, IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};

const HEADER: &str =
    "line,recorded_at,effective_at,transaction_id,seq,type,counterparty,reference,description,amount,balance,currency";

/// A table that is written while it is read.
pub(crate) struct CsvReply(Body);

impl CsvReply {
    /// The pieces of text, one after the other; an error cuts the answer off.
    pub(crate) fn of(pieces: BoxStream<'static, sqlx::Result<Bytes>>) -> CsvReply {
        use futures::StreamExt as _;
        // It is sent after the request has been answered.
        let request = tracing::Span::current();
        let told = pieces.map(move |piece| {
            piece.map_err(|error| {
                tracing::error!(parent: &request, %error, "a statement is cut off");
                std::io::Error::other("the database failed")
            })
        });
        CsvReply(Body::from_bytes_stream(told))
    }
}

impl Payload for CsvReply {
    const CONTENT_TYPE: &'static str = "text/csv";

    fn schema_ref() -> MetaSchemaRef {
        let schema = MetaSchema { description: Some("Lines of comma-separated values."), ..MetaSchema::new("string") };
        MetaSchemaRef::Inline(Box::new(schema))
    }
}

impl IntoResponse for CsvReply {
    fn into_response(self) -> Response {
        let mut response = Response::builder().body(self.0);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv"));
        response
    }
}

/// The header and the opening balance.
pub(crate) fn head(of: &Statement, currency: Currency, opening: i128) -> String {
    format!("{HEADER}\r\n{}", balance("opening", of.from, currency, opening))
}

/// The closing balance.
pub(crate) fn closing(of: &Statement, currency: Currency, closing: i128) -> String {
    balance("closing", of.before, currency, closing)
}

fn balance(line: &str, time: DateTime<Utc>, currency: Currency, minor: i128) -> String {
    format!("{line},{},,,,,,,,,{},{}\r\n", shown(time), decimal(minor, currency), currency.code())
}

/// An entry.
pub(crate) fn line(line: &Line, currency: Currency) -> String {
    let Line { entry, counterparty, reference, description } = line;
    format!(
        "entry,{},{},{},{},{},{},{},{},{},{},{}\r\n",
        shown(entry.recorded_at),
        shown(entry.effective_at),
        entry.transaction,
        entry.seq,
        line.kind().map_or("", |kind| kind.as_str()),
        counterparty.map(|account| account.to_string()).unwrap_or_default(),
        text(reference.as_deref().unwrap_or_default()),
        text(description.as_deref().unwrap_or_default()),
        decimal(entry.amount, currency),
        decimal(entry.balance, currency),
        currency.code(),
    )
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn decimal(minor: i128, currency: Currency) -> String {
    Money { minor, currency }.to_decimal_string()
}

/// Somebody's words: quoted where they need it, and never a formula.
fn text(words: &str) -> Cow<'_, str> {
    let is_formula = words.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '|', '%']);
    if !is_formula && !words.contains([',', '"', '\r', '\n', '\'']) {
        return words.into();
    }
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", words.replace('"', "\"\"")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_no_formula() {
        for (words, written) in [
            ("", ""),
            ("order 7", "order 7"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2+3+cmd|' /C calc'!A0", "\"'-2+3+cmd|' /C calc'!A0\""),
            ("\tx", "\"'\tx\""),
        ] {
            assert_eq!(text(words), written);
        }
    }
}
