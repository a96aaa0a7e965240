//! The file with the signing keys, as far as this machine has one.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::examine::Subject;
use super::report::{Seen, Severity, told};
use crate::keys;

/// Reads it, and looks at who else may.
pub(super) fn check(subject: &Subject) -> Seen {
    let mut seen = Seen::default();
    let Ok(path) = keys::file(subject.signing_key_file.as_deref(), &subject.dir) else {
        seen.find(
            Severity::Note,
            "none",
            "no signing key is named here",
            "a worker does not start here; the API needs none",
            "where workers run, set `LEDGER_SIGNING_KEY_FILE`; `bitnexus ledger key new` makes the first key",
        );
        return seen;
    };
    match keys::read(&path) {
        Ok(keys) => seen.fact("key", format!("{} of {}", path.display(), keys[0].verifier().to_text())),
        Err(error) => seen.find(
            Severity::Error,
            "unreadable",
            told(&error),
            "no worker starts here, and no checkpoint is signed",
            format!(
                "have {} belong to the account of the workers, or put the key's backup back: a new key is a new log",
                path.display()
            ),
        ),
    }
    let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o077 != 0 {
        seen.find(
            Severity::Warning,
            "exposed",
            format!("other accounts of this machine may open {}", path.display()),
            "whoever has the key can sign another history",
            format!("`chmod 600 {path}`; if somebody may have read it, `bitnexus ledger key rotate --signing-key-file {path}`", path = path.display()),
        );
    }
    seen
}
