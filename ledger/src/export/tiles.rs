//! The log as a folder of files that any C2SP tlog-tiles client reads: `checkpoint`, `tile/<L>/<N>[.p/<W>]` and
//! `tile/entries/<N>[.p/<W>]`.
//!
//! It goes up to the last checkpoint, which is written last: a folder that has one has all that it covers. A tile or bundle
//! that is there already is not written again, so that an export that was cut off goes on where it was. A folder is of one
//! log and only grows: a checkpoint that the new one does not follow from is left as it is, and the export refused.

use std::path::{Path, PathBuf};
use std::{fs, io};

use sqlx::PgConnection;

use crate::Book;
use crate::checkpoint::note::Body;
use crate::checkpoint::{self, Checkpoint, cosigned};
use crate::log::{self, LogError};
use crate::merkle::path::{TileKind, TilePath};
use crate::merkle::proof;
use crate::merkle::store::proof_hashes;
use crate::merkle::tiles::{LEVELS, TILE_WIDTH};

mod files;

use files::Folder;

/// How far an export is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Tiles and bundles written or found so far.
    pub files: u64,
    /// Those that there will be.
    pub files_total: u64,
}

/// What an export did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The checkpoint that the folder now has.
    pub checkpoint: Checkpoint,
    /// Tiles and bundles that were written.
    pub written: u64,
    /// Tiles and bundles that were there.
    pub kept: u64,
}

/// Why an export came to no end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nothing is signed yet, so there is nothing to vouch for.
    #[error("the log has no checkpoint yet")]
    NoCheckpoint,
    /// The folder has the checkpoint of another log, or of one that this one is not a continuation of.
    #[error("{folder} has a checkpoint that this log does not follow from; nothing is written over it")]
    OtherLog {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> ExportError {
        ExportError::Log(error.into())
    }
}

/// Writes the book's log to `folder`, up to its last checkpoint, with the lines of the witnesses that signed it.
///
/// # Errors
/// When there is no checkpoint, and as [`up_to`].
pub async fn tiles(
    conn: &mut PgConnection,
    book: Book,
    folder: &Path,
    progress: impl FnMut(Progress),
) -> Result<Exported, ExportError> {
    let last = checkpoint::latest(conn, book).await?.ok_or(ExportError::NoCheckpoint)?;
    let last = cosigned::with_lines(conn, book, last).await?;
    up_to(conn, book, last, folder, progress).await
}

/// Writes the book's log to `folder`, up to this checkpoint. It holds one tile or bundle in memory at a time, and reads
/// what never changes, so it needs no transaction and holds nobody up.
///
/// # Errors
/// When the folder is of another log, a file cannot be written, or the database fails.
pub async fn up_to(
    conn: &mut PgConnection,
    book: Book,
    checkpoint: Checkpoint,
    folder: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Exported, ExportError> {
    let size = checkpoint.size as u64;
    let folder = Folder::make(folder)?;
    check_follows(conn, book, &folder, &checkpoint).await?;
    let (mut now, mut written) = (Progress { files: 0, files_total: paths(size).count() as u64 }, 0);
    for path in paths(size) {
        assert!(path.is_within(size), "a file has what the checkpoint covers");
        if !folder.has(path) {
            folder.write(path, &log::tile(conn, book, path).await?)?;
            written += 1;
        }
        now.files += 1;
        progress(now);
    }
    folder.publish(&checkpoint.note)?;
    assert_eq!(now.files, now.files_total, "every file is there before the checkpoint is");
    Ok(Exported { checkpoint, written, kept: now.files - written })
}

/// Everything that a log of this size has: bundles and the tiles above them, one after the other as the log has them.
pub fn paths(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0..LEVELS as u8).map(TileKind::Hashes);
    std::iter::once(TileKind::Entries).chain(levels).flat_map(move |kind| paths_of(kind, size))
}

fn paths_of(kind: TileKind, size: u64) -> impl Iterator<Item = TilePath> {
    let hashes = size >> (8 * u32::from(TilePath::full(kind, 0).level()));
    let (full, open) = (hashes / TILE_WIDTH as u64, (hashes % TILE_WIDTH as u64) as u16);
    let open = (open > 0).then_some(TilePath { kind, index: full, width: open });
    (0..full).map(move |index| TilePath::full(kind, index)).chain(open)
}

/// Refuses a folder whose checkpoint is not of this log, or not of its past.
async fn check_follows(
    conn: &mut PgConnection,
    book: Book,
    folder: &Folder,
    new: &Checkpoint,
) -> Result<(), ExportError> {
    let Some(note) = folder.checkpoint()? else { return Ok(()) };
    let other_log = || ExportError::OtherLog { folder: folder.path().to_owned() };
    let old = Body::read(&note).ok_or_else(other_log)?;
    let own = Body::read(&new.note).ok_or(LogError::Damaged)?;
    if old.origin != own.origin || old.size == 0 || old.size > own.size {
        return Err(other_log());
    }
    let hashes = proof_hashes(conn, book, proof::consistency(old.size, own.size)).await?;
    match proof::check_consistency(old.size, &old.root, own.size, &own.root, &hashes) {
        true => Ok(()),
        false => Err(other_log()),
    }
}

/// Says which file an error is about.
fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ExportError {
    let path = path.to_owned();
    move |source| ExportError::File { path, source }
}

/// Reads a file that may not be there.
fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, ExportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_log_are_those_of_another_implementation() {
        for size in [1u64, 255, 256, 257, 512, 65_535, 65_536, 65_537, 70_000, 131_072] {
            let mut theirs: Vec<String> = tlog_tiles::Tile::new_tiles(8, 0, size)
                .iter()
                .map(|tile| tile.path().replacen("tile/8/", "tile/", 1))
                .collect();
            let mut ours: Vec<String> = paths(size).map(|path| path.to_string()).collect();
            ours.retain(|path| !path.starts_with("tile/entries/"));
            // Theirs lists, of each level, the tiles that changed: full ones and the last.
            theirs.sort();
            ours.sort();
            assert_eq!(ours, theirs, "{size}");
        }
    }
}
