//! What the witness remembers: a folder with one file for each log, the last checkpoint that it signed for.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::checkpoint::note::Body;

/// The file whose lock says that a witness works with the folder.
const LOCK: &str = "lock";

/// Why the witness cannot remember.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another witness works with the folder.
    #[error("another witness works with {0}")]
    InUse(PathBuf),
    /// A file is there that is no checkpoint: nothing is signed for its log until somebody has looked at it.
    #[error("{0} is not the checkpoint of its log")]
    Damaged(PathBuf),
}

/// The folder of one witness, which no other one works with meanwhile.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    /// Locked as long as it is open, also against another process.
    _lock: File,
    /// Whoever has it decides and writes.
    turn: Mutex<()>,
}

impl Store {
    /// Opens the folder, and makes it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or another witness works with it.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let path = folder.join(LOCK);
        let open = || {
            fs::create_dir_all(folder)?;
            File::create(&path)
        };
        let lock = open().map_err(file_error(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| StoreError::InUse(folder.to_owned()))?;
        Ok(Store { folder: folder.to_owned(), _lock: lock, turn: Mutex::new(()) })
    }

    /// What is remembered of a log, held until it is dropped: nobody else decides about it meanwhile.
    pub(super) fn hold(&self, origin: &str) -> Result<Held<'_>, StoreError> {
        // Whoever panicked in its turn has written nothing, or all of it.
        let turn = self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.folder.join(file_name(origin));
        let last = match fs::read_to_string(&path) {
            Ok(note) => match Body::read(&note).filter(|body| body.origin == origin) {
                Some(body) => Some(body),
                None => return Err(StoreError::Damaged(path)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(file_error(&path)(error)),
        };
        Ok(Held { folder: &self.folder, path, last, _turn: turn })
    }
}

/// What is remembered of one log.
pub(super) struct Held<'a> {
    folder: &'a Path,
    path: PathBuf,
    last: Option<Body>,
    _turn: MutexGuard<'a, ()>,
}

impl Held<'_> {
    /// The last checkpoint that was signed for.
    pub(super) fn last(&self) -> Option<&Body> {
        self.last.as_ref()
    }

    /// Remembers another one, for good: on the disk before this returns.
    pub(super) fn replace(&mut self, note: &str) -> Result<(), StoreError> {
        let unfinished = self.path.with_extension("unfinished");
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(note.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &self.path)?;
            File::open(self.folder)?.sync_all()
        };
        write().map_err(file_error(&self.path))?;
        let body = Body::read(note);
        assert!(body.is_some(), "what is remembered is a checkpoint");
        self.last = body;
        Ok(())
    }
}

/// An origin may have any characters and any length; its hash has neither.
fn file_name(origin: &str) -> String {
    let mut name = String::with_capacity(80);
    for byte in Sha256::digest(origin.as_bytes()) {
        write!(name, "{byte:02x}").expect("a string takes what is written to it");
    }
    name + ".checkpoint"
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { path, source }
}
