//! A book outside of its database: every row as a line of JSON, to be verified without PostgreSQL and to be replayed.
//!
//! - [`jsonl`] writes the lines, [`verify`] derives everything again from them, [`import`] puts them into an empty book.
//! - [`tiles`] writes the log beside them as a folder of files that any C2SP client reads.
//!
//! There is one way to write each line, so an export of a replayed book is the same byte for byte.

mod copy_in;
mod digest;
mod import;
mod jsonl;
mod line;
mod lines;
mod scan;
mod source;
mod static_files;
pub mod tiles;
mod transaction;
mod verify;
mod write;

pub use import::{ImportError, Imported, import};
pub use jsonl::{Exported, jsonl};
pub use verify::{book, verify};

/// Why an export cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The book cannot be read.
    #[error(transparent)]
    Book(#[from] crate::verify::VerifyError),
    /// A file cannot be written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The folder has something in it already.
    #[error("{0} is not empty: an export goes into a folder of its own")]
    NotEmpty(String),
}
