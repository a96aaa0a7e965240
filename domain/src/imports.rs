//! Imports: files of users or products, sent whole, kept in pieces, and dealt with row by row by a job.
//!
//! A file is written piece by piece while it arrives, and nobody sees it before it is complete ([`upload`]). A job then
//! reads it as [`frames`], makes [`Fields`](fields::Fields) of each row and writes the rows in batches; each batch commits
//! with the place where the next one begins, so that a run that is killed goes on where it was.

mod csv;
pub mod fields;
pub mod frames;
pub mod header;
mod json;
mod products;
mod progress;
mod read;
pub mod rows;
mod sweep;
pub mod upload;
mod users;

use chrono::{DateTime, Utc};
use ledger::Book;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::UserId;

pub use progress::{Batch, Place, advance, chunk, finish, source, stop};
pub use read::{Filter, find, findings, list};
pub use rows::{Applied, Importer};
pub use sweep::{active, forget_old, forget_uploads, stop_of_user};

/// What a file's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// People and systems that may call the API.
    Users,
    /// What users sell.
    Products,
}

impl Kind {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Users => "users",
            Kind::Products => "products",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        [Kind::Users, Kind::Products].into_iter().find(|kind| kind.as_str() == name)
    }

    /// The columns that a row may have.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Kind::Users => &["email", "name", "country", "role", "currencies"],
            Kind::Products => &["sku", "name", "description", "price", "currency", "category"],
        }
    }

    /// The columns that a row must have.
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Users => &["email", "name"],
            Kind::Products => &["sku", "name", "price", "currency"],
        }
    }
}

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values by RFC 4180, with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

impl Format {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::JsonLines => "jsonl",
        }
    }

    /// The format of that name.
    pub fn parse(name: &str) -> Option<Format> {
        [Format::Csv, Format::JsonLines].into_iter().find(|format| format.as_str() == name)
    }
}

/// How many rows came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Rows dealt with.
    pub rows: i64,
    /// Those that became something.
    pub created: i64,
    /// Those whose address or code was taken: nothing was changed.
    pub existing: i64,
    /// Those that broke a rule.
    pub refused: i64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Tally) {
        self.rows += more.rows;
        self.created += more.created;
        self.existing += more.existing;
        self.refused += more.refused;
    }
}

/// An import as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its identifier; its job has the same.
    pub id: Uuid,
    /// What its rows are.
    pub kind: Kind,
    /// How they are written.
    pub format: Format,
    /// Whose the products become; of users, who asked.
    pub owner_id: UserId,
    /// Who sent it.
    pub created_by: UserId,
    /// `waiting`, `running`, `finished` or `stopped`.
    pub state: String,
    /// The length of the file.
    pub bytes: i64,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// Up to where it was dealt with.
    pub bytes_done: i64,
    /// What came of its rows so far.
    pub tally: Tally,
    /// How many findings there are; only the first [`FINDINGS_MAX`] are kept.
    pub findings: i64,
    /// When the upload began.
    pub created_at: DateTime<Utc>,
    /// When it was over.
    pub finished_at: Option<DateTime<Utc>>,
}

/// The most findings that are kept of one import; those after them are only counted.
pub const FINDINGS_MAX: i64 = 200_000;

/// Why a row became nothing. It never quotes the row, so that nothing personal stays when the file is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Counts the findings of the import, from 1; 0 until it is kept.
    pub number: i64,
    /// The row of the file, from 1 behind the header.
    pub row: i64,
    /// The line that the row begins on, from 1.
    pub line: i64,
    /// The column or field; none when it is about the whole row.
    pub field: Option<String>,
    /// The rule, as a stable word.
    pub code: String,
    /// The rule, for a person.
    pub detail: String,
}

/// What a job needs to go on with an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The import.
    pub id: Uuid,
    /// The book that its rows go to.
    pub book: Book,
    /// What its rows are.
    pub kind: Kind,
    /// How they are written.
    pub format: Format,
    /// Whose the products become.
    pub owner: UserId,
    /// The header of a CSV.
    pub columns: Vec<String>,
    /// The byte that the rows begin at.
    pub begins_at: i64,
    /// The length of the file.
    pub bytes: i64,
    /// What came of its rows so far.
    pub tally: Tally,
}
