//! Whether a key of this machine may sign for the main book's log.

use anyhow::{Context, Result};
use ledger::{Book, keyring};
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity};
use crate::keys;

/// Compares the file's keys with those that the database lists; a log that nothing was signed of takes any.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let ours = keys::file(subject.signing_key_file.as_deref(), &subject.dir).and_then(|path| keys::read(&path));
    // That there is none has been found already.
    let Ok(ours) = ours else { return Ok(seen) };
    let listed = keyring::list(&mut *conn, Book::MAIN).await.context("reading the log's keys")?;
    let size = sqlx::query_scalar!(
        "select size from ledger.book where shard = $1 and book = $2",
        Book::MAIN.shard,
        Book::MAIN.id
    );
    let size = size.fetch_optional(conn).await?.unwrap_or(0);
    let is_ours = |one: &&keyring::LogKey| ours.iter().any(|key| key.verifier() == one.key);
    if !listed.is_empty() && !listed.iter().filter(is_ours).any(|one| one.is_in_force(size)) {
        seen.find(
            Severity::Error,
            "not_in_force",
            format!("no key of this machine may sign for the log at {size} leaves"),
            "workers here sign no checkpoint",
            "`bitnexus ledger key show` lists the keys that may: put one of those files here, or `bitnexus ledger key rotate` where one is",
        );
    }
    Ok(seen)
}
