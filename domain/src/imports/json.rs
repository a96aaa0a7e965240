//! One row of JSON lines: an object of texts.

use serde_json::{Map, Value};

use super::Kind;
use super::fields::{Fault, Fields};

/// The fields of a row.
pub(super) fn fields(kind: Kind, row: &str) -> Result<Fields, Vec<Fault>> {
    let object: Map<String, Value> = serde_json::from_str(row).map_err(|error| {
        let detail = if error.is_data() { "a line must be a JSON object" } else { "the line is not JSON" };
        vec![Fault::of_row("malformed_json", detail)]
    })?;
    let (mut fields, mut faults) = (Fields::none(kind), Vec::new());
    for (name, value) in object {
        let Some(index) = kind.columns().iter().position(|column| *column == name) else {
            let detail = format!("there is no field but {}", kind.columns().join(", "));
            faults.push(Fault::of_row("unknown_field", detail));
            continue;
        };
        match text(kind.columns()[index], value) {
            Ok(text) => fields.set(index, text),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(fields) } else { Err(faults) }
}

/// A text, or nothing. Several currencies may be an array of texts; nothing else is converted.
fn text(column: &'static str, value: Value) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        Value::Array(items) if column == "currencies" && items.iter().all(Value::is_string) => {
            let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            Ok(Some(texts.join(";")))
        }
        _ if column == "currencies" => Err(Fault::of(column, "wrong_type", "must be a list of strings")),
        _ => Err(Fault::of(column, "wrong_type", "must be a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_an_object_of_texts() {
        let row = r#"{"email":"a@b.c","name":"A","country":null,"currencies":["GBP","EUR"]}"#;
        let fields = fields(Kind::Users, row).unwrap();
        assert_eq!((fields.get("email"), fields.get("country")), (Some("a@b.c"), None));
        assert_eq!(fields.get("currencies"), Some("GBP;EUR"));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        let table = [
            ("{", "malformed_json"),
            ("[]", "malformed_json"),
            ("{} x", "malformed_json"),
            (r#"{"sku":1}"#, "wrong_type"),
            (r#"{"sku":["1"]}"#, "wrong_type"),
            (r#"{"SKU":"1"}"#, "unknown_field"),
        ];
        for (row, code) in table {
            assert_eq!(fields(Kind::Products, row).unwrap_err()[0].code, code, "{row}");
        }
    }
}
