//! One row of a CSV by RFC 4180, without leniency: what is written another way is refused, not guessed.

use super::fields::Fault;

/// The cells of a row.
pub(super) fn cells(row: &str) -> Result<Vec<String>, Fault> {
    let (mut cells, mut rest) = (Vec::new(), row);
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted)?,
            None => plain_cell(rest)?,
        };
        cells.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Ok(cells),
        }
    }
}

/// A cell, and what follows its comma; none at the end of the row.
type Cell<'a> = (String, Option<&'a str>);

fn plain_cell(rest: &str) -> Result<Cell<'_>, Fault> {
    let (cell, after) = match rest.split_once(',') {
        Some((cell, after)) => (cell, Some(after)),
        None => (rest, None),
    };
    if cell.contains('"') {
        return Err(malformed("a cell with a quote in it must be in quotes, and the quote doubled"));
    }
    Ok((cell.to_owned(), after))
}

fn quoted_cell(mut rest: &str) -> Result<Cell<'_>, Fault> {
    let mut cell = String::new();
    loop {
        let Some((text, after)) = rest.split_once('"') else {
            return Err(malformed("a quote is opened and not closed"));
        };
        cell.push_str(text);
        match after.chars().next() {
            None => return Ok((cell, None)),
            Some(',') => return Ok((cell, Some(&after[1..]))),
            Some('"') => {
                cell.push('"');
                rest = &after[1..];
            }
            Some(_) => return Err(malformed("after the closing quote there must be a comma or the end of the line")),
        }
    }
}

fn malformed(detail: &str) -> Fault {
    Fault::of_row("malformed_csv", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_what_rfc_4180_says() {
        let table: [(&str, &[&str]); 6] = [
            ("", &[""]),
            ("a,b", &["a", "b"]),
            (",", &["", ""]),
            ("\"a,\"\"b\"\"\r\n\",", &["a,\"b\"\r\n", ""]),
            ("\"\",x", &["", "x"]),
            (" a , b", &[" a ", " b"]),
        ];
        for (row, wanted) in table {
            assert_eq!(cells(row).unwrap(), wanted, "{row}");
        }
    }

    #[test]
    fn what_is_written_another_way_is_refused() {
        for row in ["a\"b", "\"a", "\"a\"b", "\"a\" ,b", "x,\"", "\"\"\""] {
            assert_eq!(cells(row).unwrap_err().code, "malformed_csv", "{row}");
        }
    }
}
