//! Imports, and why rows of theirs became nothing.

use chrono::{DateTime, Utc};
use domain::imports::{Finding, Import};
use poem_openapi::Object;
use serde::Serialize;
use uuid::Uuid;

use crate::body::choice::{Choice, choice};

choice! {
    /// What the rows of a file are.
    pub(crate) enum ImportKind {
        /// People and systems that may call the API.
        Users = "users",
        /// What users sell.
        Products = "products",
    }
}

choice! {
    /// How the rows of a file are written.
    pub(crate) enum ImportFormat {
        /// Comma-separated values with a header.
        Csv = "csv",
        /// A JSON object a line.
        JsonLines = "jsonl",
    }
}

choice! {
    /// How far an import is.
    pub(crate) enum ImportState {
        /// Its job has not begun.
        Waiting = "waiting",
        /// Its job deals with the rows.
        Running = "running",
        /// All rows were dealt with.
        Finished = "finished",
        /// Its job ended before the end of the file; the job says why.
        Stopped = "stopped",
    }
}

/// A file of users or products, and what became of its rows.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Import")]
pub(crate) struct ImportView {
    /// Its identifier; its job has the same.
    pub id: Uuid,
    /// What its rows are.
    pub kind: ImportKind,
    /// How they are written.
    pub format: ImportFormat,
    /// Whose the products become; of users, who sent the file.
    pub owner_id: Uuid,
    /// Who sent the file.
    pub created_by: Uuid,
    /// How far it is.
    pub state: ImportState,
    /// The length of the file.
    pub bytes: i64,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Up to where the file was dealt with.
    pub bytes_done: i64,
    /// Rows dealt with.
    pub rows: i64,
    /// Rows that became something.
    pub created: i64,
    /// Rows whose address or code was taken; nothing was changed.
    pub existing: i64,
    /// Rows that broke a rule.
    pub refused: i64,
    /// How many errors there are; the first 200,000 are kept.
    pub errors: i64,
    /// When the upload began.
    pub created_at: DateTime<Utc>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

impl From<&Import> for ImportView {
    fn from(import: &Import) -> ImportView {
        ImportView {
            id: import.id,
            kind: ImportKind::named(import.kind.as_str()),
            format: ImportFormat::named(import.format.as_str()),
            owner_id: import.owner_id.0,
            created_by: import.created_by.0,
            state: ImportState::named(&import.state),
            bytes: import.bytes,
            sha256: import.sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
            bytes_done: import.bytes_done,
            rows: import.tally.rows,
            created: import.tally.created,
            existing: import.tally.existing,
            refused: import.tally.refused,
            errors: import.findings,
            created_at: import.created_at,
            finished_at: import.finished_at,
        }
    }
}

/// Why a row became nothing. It never quotes the row.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ImportError")]
pub(crate) struct ImportErrorView {
    /// Counts the errors of the import, from 1.
    pub number: i64,
    /// The row of the file, from 1 behind the header; empty lines do not count.
    pub row: i64,
    /// The line of the file that the row begins on, from 1.
    pub line: i64,
    /// The column or field; null when it is about the whole row.
    pub field: Option<String>,
    /// The rule, as a stable word; `email_taken` and `sku_taken` are those of existing rows.
    pub code: String,
    /// The rule, for a person.
    pub detail: String,
}

impl From<&Finding> for ImportErrorView {
    fn from(finding: &Finding) -> ImportErrorView {
        let Finding { number, row, line, field, code, detail } = finding.clone();
        let detail = crate::problem::from_domain::sentence(&detail);
        ImportErrorView { number, row, line, field, code, detail }
    }
}
