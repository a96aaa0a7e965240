//! `book.json`: the head of the log, and the hashes of those files that do not follow from the leaves.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::line::{Account, Balance, Checkpoint, Group, Key, Line, Refusal};
use crate::Book;
use crate::verify::VerifyError;
use crate::verify::rows::{HeadRow, HoldRow};

/// The file that is written last, so that an export without it is not whole.
pub(super) const FILE: &str = "book.json";
/// What an export calls itself.
const FORMAT: &str = "bitnexus-ledger-export/1";
/// The files whose hashes stand in [`FILE`]. The others follow from the leaves line by line, and are much larger.
pub(super) const HASHED: [&str; 7] =
    [Account::FILE, Balance::FILE, Group::FILE, HoldRow::FILE, Refusal::FILE, Checkpoint::FILE, Key::FILE];

/// What `book.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: String,
    shard: i16,
    book: i32,
    size: i64,
    root: String,
    frontier: String,
    recorded_at_micros: Option<i64>,
    /// SHA-256 of each file of [`HASHED`].
    pub(super) files: BTreeMap<String, String>,
}

impl Manifest {
    pub(super) fn new(book: Book, head: &HeadRow, folder: &Path) -> Result<Manifest, VerifyError> {
        let mut files = BTreeMap::new();
        for file in HASHED {
            files.insert(file.to_owned(), hash(&folder.join(file))?);
        }
        assert_eq!(files.len(), HASHED.len());
        Ok(Manifest {
            format: FORMAT.to_owned(),
            shard: book.shard,
            book: book.id,
            size: head.size,
            root: hex(&head.root),
            frontier: hex(&head.frontier),
            recorded_at_micros: head.recorded_at,
            files,
        })
    }

    /// The text of the file.
    pub(super) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a manifest is made of texts and numbers");
        text.push('\n');
        text
    }

    /// Reads the file of an export; one that is not written as [`Manifest::to_text`] does is none.
    pub(super) fn read(folder: &Path) -> Result<Manifest, VerifyError> {
        let not_an_export = || VerifyError::NotAnExport(folder.display().to_string());
        let text = std::fs::read_to_string(folder.join(FILE)).map_err(|_| not_an_export())?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|_| not_an_export())?;
        let is_ours = manifest.format == FORMAT && manifest.to_text() == text && manifest.head().is_some();
        if is_ours { Ok(manifest) } else { Err(not_an_export()) }
    }

    pub(super) fn book(&self) -> Book {
        Book { shard: self.shard, id: self.book }
    }

    /// The head of the log; none if its hashes cannot be read.
    pub(super) fn head(&self) -> Option<HeadRow> {
        let recorded_at = self.recorded_at_micros;
        let (root, frontier) = (unhex(&self.root)?, unhex(&self.frontier)?);
        (self.size >= 0).then_some(HeadRow { size: self.size, root, frontier, recorded_at })
    }
}

/// The SHA-256 of a file.
pub(super) fn hash(path: &Path) -> Result<String, VerifyError> {
    let failed = |error| VerifyError::File { path: path.display().to_string(), error };
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hex(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    super::write::hex(&mut text, bytes);
    String::from_utf8(text).expect("digits are ASCII")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let quoted = format!("{text}\"");
    let mut bytes = Vec::new();
    super::scan::Scan { rest: quoted.as_bytes() }.hex(&mut bytes)?;
    (bytes.len() * 2 == text.len()).then_some(bytes)
}
