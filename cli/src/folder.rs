//! The folder of `bitnexus up`, `./.bitnexus` unless told otherwise: its private PostgreSQL, its keys, who runs there.

pub mod lock;
pub mod running;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The variable that names the folder.
pub const VARIABLE: &str = "BITNEXUS_DIR";

/// The folder where none is named.
pub const DEFAULT: &str = ".bitnexus";

/// The folder, which is there.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or entered.
    pub fn make(path: &Path) -> Result<Folder> {
        if !path.exists() {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            parent
                .map_or(Ok(()), fs::create_dir_all)
                .with_context(|| format!("making the folder above {}", path.display()))?;
            // Searchable for others, not readable: PostgreSQL's account has to pass through. Each file in it is closed.
            let made = DirBuilder::new().mode(0o711).create(path);
            made.with_context(|| format!("making {}; run this in a folder you may write to", path.display()))?;
            fs::set_permissions(path, Permissions::from_mode(0o711)).context("setting the folder's mode")?;
        }
        Folder::open(path)
    }

    /// The folder at `path`, which has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn open(path: &Path) -> Result<Folder> {
        let path = path.canonicalize().with_context(|| format!("opening {}", path.display()))?;
        Ok(Folder { path })
    }

    /// Where it is, from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the ledger's signing key is kept.
    pub fn signing_key(&self) -> PathBuf {
        self.path.join("ledger.key")
    }
}

/// Writes a file that only this account may read, whole or not at all.
///
/// # Errors
/// When its folder cannot be written to.
pub fn write_secret(path: &Path, content: &str) -> Result<()> {
    let unfinished = path.with_extension("tmp");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().with_context(|| format!("writing {}", path.display()))
}
