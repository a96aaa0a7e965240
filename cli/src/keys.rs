//! The ledger's signing key as a file, and its public half beside it for whoever verifies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ledger::keys::{SigningKey, VerifierKey};
use uuid::Uuid;

use crate::folder::Folder;

/// The files in the folder of `bitnexus up`.
const SIGNING: &str = "ledger.key";
const VERIFIER: &str = "ledger.vkey";

/// Makes the key of a new installation, once; its name is the origin of the log, and unlike that of any other.
///
/// # Errors
/// When the folder cannot be written to, or a key that is there is damaged.
pub fn make_if_missing(folder: &Folder) -> Result<()> {
    let path = folder.signing_key();
    let key = if path.exists() {
        read(&path)?
    } else {
        let name = Uuid::new_v4().simple().to_string();
        let key = SigningKey::generate(&format!("bitnexus.local/{}", &name[..8])).context("making the signing key")?;
        folder.write_secret(SIGNING, &format!("{}\n", key.to_text()))?;
        key
    };
    let public = folder.path().join(VERIFIER);
    fs::write(&public, format!("{}\n", key.verifier().to_text()))
        .with_context(|| format!("writing {}", public.display()))
}

/// The signing key's file: the one that was given, else that of the `bitnexus up` in this folder.
///
/// # Errors
/// When none is given and there is none.
pub fn file(given: Option<&Path>, folder: &Path) -> Result<PathBuf> {
    let default = || Some(folder.join(SIGNING)).filter(|path| path.exists());
    given
        .map(Path::to_owned)
        .or_else(default)
        .context("--signing-key-file (LEDGER_SIGNING_KEY_FILE) is not set; `bitnexus ledger new-key` makes a key")
}

/// Reads a signing key. The error does not repeat it.
///
/// # Errors
/// When the file cannot be read or holds no key.
pub fn read(path: &Path) -> Result<SigningKey> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the signing key {}", path.display()))?;
    SigningKey::parse(&text).with_context(|| format!("the signing key {}", path.display()))
}

/// The public half of the folder's key; none where there is no folder or no key.
///
/// # Errors
/// When the file is there but holds no key.
pub fn verifier(folder: &Path) -> Result<Option<VerifierKey>> {
    let path = folder.join(VERIFIER);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    VerifierKey::parse(&text).map(Some).with_context(|| format!("the verifier key {}", path.display()))
}
