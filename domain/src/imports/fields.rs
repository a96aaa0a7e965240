//! The fields of one row, by the names of their columns, however they were written.

use super::{Format, Kind, csv, json};
use crate::error::FieldError;

/// Why a row is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The column or field; none when it is about the whole row.
    pub field: Option<&'static str>,
    /// The rule, as a stable word.
    pub code: &'static str,
    /// The rule, for a person, without the value.
    pub detail: String,
}

impl Fault {
    /// One of a field.
    pub(super) fn of(field: &'static str, code: &'static str, detail: impl Into<String>) -> Fault {
        Fault { field: Some(field), code, detail: detail.into() }
    }

    /// One of the whole row.
    pub(super) fn of_row(code: &'static str, detail: impl Into<String>) -> Fault {
        Fault { field: None, code, detail: detail.into() }
    }

    /// What a check of the domain found, whose pointers begin with the names of our columns.
    pub(super) fn from_check(kind: Kind, error: FieldError) -> Fault {
        let name = error.pointer.split('/').nth(1).unwrap_or_default();
        let field = kind.columns().iter().copied().find(|column| *column == name);
        Fault { field, code: error.code, detail: error.detail }
    }
}

/// The fields of a row; an empty cell is an absent field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    kind: Kind,
    values: Vec<Option<String>>,
}

impl Fields {
    /// A row without fields.
    pub(super) fn none(kind: Kind) -> Fields {
        Fields { kind, values: vec![None; kind.columns().len()] }
    }

    /// Sets the field of this index among the kind's columns.
    pub(super) fn set(&mut self, index: usize, value: Option<String>) {
        self.values[index] = value.filter(|value| !value.is_empty());
    }

    /// The field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let index = self.kind.columns().iter().position(|column| *column == name)?;
        self.values[index].as_deref()
    }

    /// The field, moved out of the row.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        let index = self.kind.columns().iter().position(|column| *column == name)?;
        self.values[index].take()
    }

    /// What the kind requires and the row does not have.
    pub(super) fn missing(&self) -> Vec<Fault> {
        let is_missing = |name: &&&'static str| self.get(name).is_none();
        let fault = |name: &&'static str| Fault::of(name, "required", "this is required");
        self.kind.required().iter().filter(is_missing).map(fault).collect()
    }

    /// Reads a row.
    ///
    /// # Errors
    /// All that is wrong with how it is written.
    pub(super) fn read(
        kind: Kind,
        format: Format,
        columns: &[String],
        row: Option<&[u8]>,
    ) -> Result<Fields, Vec<Fault>> {
        let one = |code, detail: &str| vec![Fault::of_row(code, detail)];
        let row = row.ok_or_else(|| one("too_long", "the row has more than 64 KiB; is a quote open?"))?;
        let row = std::str::from_utf8(row).map_err(|_| one("invalid_utf8", "the row is not UTF-8"))?;
        match format {
            Format::JsonLines => json::fields(kind, row),
            Format::Csv => {
                let cells = csv::cells(row).map_err(|fault| vec![fault])?;
                if cells.len() != columns.len() {
                    let detail = format!("the row has {} cells, the header {}", cells.len(), columns.len());
                    return Err(one("cell_count", &detail));
                }
                let mut fields = Fields::none(kind);
                for (name, cell) in columns.iter().zip(cells) {
                    let index = kind.columns().iter().position(|column| column == name);
                    fields.set(index.expect("the header was checked when the file came"), Some(cell));
                }
                Ok(fields)
            }
        }
    }
}
