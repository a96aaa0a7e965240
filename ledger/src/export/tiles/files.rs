//! The files: each appears whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{ExportError, file_error, read_if_there};
use crate::merkle::path::{TileKind, TilePath};
use crate::merkle::tiles::TILE_WIDTH;

/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// The folder of one log.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn make(path: &Path) -> Result<Folder, ExportError> {
        fs::create_dir_all(path).map_err(file_error(path))?;
        Ok(Folder { path: path.to_owned() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint that the folder has.
    pub(super) fn checkpoint(&self) -> Result<Option<String>, ExportError> {
        let bytes = read_if_there(&self.path.join("checkpoint"))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether the file is there, whole: one that a crash of the machine cut short is written again.
    pub(super) fn has(&self, path: TilePath) -> bool {
        let file = self.path.join(path.to_string());
        match path.kind {
            TileKind::Hashes(_) => {
                fs::metadata(file).is_ok_and(|found| found.len() == u64::from(path.width) * HASH_BYTES as u64)
            }
            TileKind::Entries => fs::read(file).is_ok_and(|bytes| count_entries(&bytes) == Some(path.width.into())),
        }
    }

    /// Writes a tile or bundle.
    pub(super) fn write(&self, path: TilePath, bytes: &[u8]) -> Result<(), ExportError> {
        let is_whole = match path.kind {
            TileKind::Hashes(_) => bytes.len() == usize::from(path.width) * HASH_BYTES,
            TileKind::Entries => count_entries(bytes) == Some(path.width.into()),
        };
        assert!(is_whole && usize::from(path.width) <= TILE_WIDTH, "{path} is whole");
        let file = self.path.join(path.to_string());
        let folder = file.parent().expect("a tile's path has a folder");
        let write = || {
            fs::create_dir_all(folder)?;
            replace(&file, bytes, false)
        };
        write().map_err(file_error(&file))
    }

    /// Writes the checkpoint, when all that it covers is on the disk.
    pub(super) fn publish(&self, note: &str) -> Result<(), ExportError> {
        let file = self.path.join("checkpoint");
        let publish = || {
            sync_all(&self.path.join("tile"))?;
            replace(&file, note.as_bytes(), true)?;
            File::open(&self.path)?.sync_all()
        };
        publish().map_err(file_error(&file))
    }
}

/// Puts a file in the place of another, at once.
fn replace(path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_all()?;
    }
    fs::rename(&unfinished, path)
}

/// Brings the file system of a folder to the disk.
fn sync_all(folder: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(folder)?)?;
    Ok(())
}

/// How many entries a bundle has; none if its last one is cut short.
fn count_entries(mut bytes: &[u8]) -> Option<usize> {
    let mut count = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        bytes = rest.get(usize::from(u16::from_be_bytes(*length))..)?;
        count += 1;
    }
    bytes.is_empty().then_some(count)
}
