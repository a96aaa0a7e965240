//! The folder of the private server's Unix socket.
//!
//! It is not inside the data folder, because a socket's path may have 107 bytes at most and a checkout can lie deep.
//! Its name follows from the data folder's, so that each start uses the same one.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::account::Account;

/// The longest folder that leaves room for `/.s.PGSQL.5432.lock`.
const LENGTH_MAX: usize = 107 - 19;

/// The folder for the socket of the cluster in `data`.
pub fn path(owner: &Account, data: &Path) -> PathBuf {
    let hash = Sha256::digest(data.as_os_str().as_bytes());
    let name = format!("bn-{}-{:02x}{:02x}{:02x}{:02x}", owner.uid, hash[0], hash[1], hash[2], hash[3]);
    let temporary = std::env::temp_dir();
    let wanted = temporary.join(&name);
    if wanted.as_os_str().len() <= LENGTH_MAX && owner.can_enter(&temporary) {
        wanted
    } else {
        Path::new("/tmp").join(name)
    }
}

/// Makes the folder, for `owner` only.
///
/// # Errors
/// When it cannot be made, or is there and somebody else's: the folder above is open to everybody.
pub fn make(folder: &Path, owner: &Account) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => chown(folder, Some(owner.uid), Some(owner.gid)).context("giving the socket's folder away")?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("making {}", folder.display())),
    }
    let metadata = fs::symlink_metadata(folder).with_context(|| format!("looking at {}", folder.display()))?;
    ensure!(
        metadata.is_dir() && metadata.uid() == owner.uid,
        "{} is in the way: it is not a folder of `{}`; remove it, or set TMPDIR to another folder",
        folder.display(),
        owner.name,
    );
    fs::set_permissions(folder, Permissions::from_mode(0o700)).context("closing the socket's folder to others")
}
