//! The ledger's signing keys as a file, and their public halves beside it for whoever verifies.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ledger::keys::{SigningKey, VerifierKey};
use uuid::Uuid;

use crate::folder::{Folder, write_secret};

/// The file in the folder of `bitnexus up`, and what the one beside it ends in.
const SIGNING: &str = "ledger.key";
const VERIFIER_EXTENSION: &str = "vkey";

/// Makes the key of a new installation, once; its name is the origin of the log, and unlike that of any other.
///
/// # Errors
/// When the folder cannot be written to, or a key that is there is damaged.
pub fn make_if_missing(folder: &Folder) -> Result<()> {
    let path = folder.signing_key();
    if !path.exists() {
        let name = Uuid::new_v4().simple().to_string();
        let key = SigningKey::generate(&format!("bitnexus.local/{}", &name[..8])).context("making the signing key")?;
        write_all(&path, &[key])?;
    }
    publish(&path, &read(&path)?)
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
        .context("--signing-key-file (LEDGER_SIGNING_KEY_FILE) is not set; `bitnexus ledger key new` makes a key")
}

/// Reads the signing keys of a file, one a line: the newest first, then those that still sign beside it. The error does
/// not repeat them.
///
/// # Errors
/// When the file cannot be read, or holds no key or something else.
pub fn read(path: &Path) -> Result<Vec<SigningKey>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading the signing key {}", path.display()))?;
    let keys: Result<Vec<SigningKey>, _> = text.split_whitespace().map(SigningKey::parse).collect();
    let keys = keys.with_context(|| format!("the signing key {}", path.display()))?;
    if keys.is_empty() {
        bail!("the signing key {} is empty", path.display());
    }
    Ok(keys)
}

/// Writes signing keys to a file that only this account may read, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write_all(path: &Path, keys: &[SigningKey]) -> Result<()> {
    let lines: String = keys.iter().map(|key| format!("{}\n", key.to_text())).collect();
    write_secret(path, &lines)
}

/// Adds the public halves of the keys to the file beside the signing key's; those that are there stay, the newest first.
///
/// # Errors
/// When the file cannot be read or written.
pub fn publish(path: &Path, keys: &[SigningKey]) -> Result<()> {
    let public = path.with_extension(VERIFIER_EXTENSION);
    let known = if public.exists() { read_verifiers(&public)? } else { Vec::new() };
    let mut all: Vec<VerifierKey> = keys.iter().map(SigningKey::verifier).collect();
    all.extend(known.into_iter().filter(|key| keys.iter().all(|own| own.verifier() != *key)));
    let lines: String = all.iter().map(|key| format!("{}\n", key.to_text())).collect();
    fs::write(&public, lines).with_context(|| format!("writing {}", public.display()))
}

/// The public keys of the folder's log, retired ones too; none where there is no folder or no key.
///
/// # Errors
/// When the file is there but holds something else.
pub fn verifiers(folder: &Path) -> Result<Vec<VerifierKey>> {
    let path = folder.join(SIGNING).with_extension(VERIFIER_EXTENSION);
    if path.exists() { read_verifiers(&path) } else { Ok(Vec::new()) }
}

/// The public keys of these texts, else those of the folder's log.
///
/// # Errors
/// When one of them is no key.
pub fn verifiers_or(given: &[String], folder: &Path) -> Result<Vec<VerifierKey>> {
    if given.is_empty() {
        return verifiers(folder);
    }
    let parse =
        |text: &String| VerifierKey::parse(text).with_context(|| format!("--key (LEDGER_VERIFIER_KEYS): `{text}`"));
    given.iter().map(parse).collect()
}

fn read_verifiers(path: &Path) -> Result<Vec<VerifierKey>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let keys: Result<Vec<VerifierKey>, _> = text.split_whitespace().map(VerifierKey::parse).collect();
    keys.with_context(|| format!("the verifier key {}", path.display()))
}
