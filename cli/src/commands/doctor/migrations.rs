//! Which migrations the database has, beside those of this release.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::PgConnection;

use super::report::{Seen, Severity};
use crate::migrations::MIGRATOR;

/// The code of a database that was never migrated.
pub(super) const NONE: &str = "never";

/// The codes of a database whose schema is not that of this release.
pub(super) const OTHER: [&str; 3] = ["pending", "unfinished", "unknown"];

/// One migration that was applied.
struct Applied {
    checksum: Vec<u8>,
    success: bool,
}

/// Compares them.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let is_there = sqlx::query_scalar!(r#"select to_regclass('public._sqlx_migrations') is not null as "is_there!""#);
    if !is_there.fetch_one(&mut *conn).await? {
        seen.find(
            Severity::Error,
            NONE,
            "the database was never migrated",
            "it has none of the service's tables",
            "`bitnexus migrate`; if it should have them, `DATABASE_URL` names another database than you think",
        );
        return Ok(seen);
    }
    // Not checked at compile time: the table is none of ours, and not in the database that queries are checked against.
    let rows =
        sqlx::query_as::<_, (i64, Vec<u8>, bool)>("select version, checksum, success from public._sqlx_migrations");
    let rows = rows.fetch_all(conn).await?.into_iter();
    let applied = rows.map(|(version, checksum, success)| (version, Applied { checksum, success })).collect();
    compare(&applied, &mut seen);
    Ok(seen)
}

fn compare(applied: &BTreeMap<i64, Applied>, seen: &mut Seen) {
    let ours: BTreeMap<i64, &sqlx::migrate::Migration> = MIGRATOR.iter().map(|one| (one.version, one)).collect();
    let last = applied.keys().next_back().copied().unwrap_or(0);
    seen.fact("migrations", format!("{} applied, the last is {last:04}", applied.len()));
    let list =
        |versions: Vec<i64>| versions.iter().map(|version| format!("{version:04}")).collect::<Vec<_>>().join(", ");
    let pending: Vec<i64> = ours.keys().filter(|version| !applied.contains_key(version)).copied().collect();
    let unknown: Vec<i64> = applied.keys().filter(|version| !ours.contains_key(version)).copied().collect();
    let unfinished: Vec<i64> = applied.iter().filter(|(_, one)| !one.success).map(|(version, _)| *version).collect();
    let is_changed = |(version, one): &(&i64, &&sqlx::migrate::Migration)| {
        applied.get(version).is_some_and(|applied| applied.checksum != *one.checksum)
    };
    let changed: Vec<i64> = ours.iter().filter(is_changed).map(|(version, _)| *version).collect();
    if !pending.is_empty() {
        seen.find(
            Severity::Error,
            "pending",
            format!("migrations are not applied yet: {}", list(pending)),
            "statements of this release fail on what they would add",
            "`bitnexus migrate`, before processes of this release start",
        );
    }
    if !unknown.is_empty() {
        seen.find(
            Severity::Warning,
            "unknown",
            format!("the database has migrations that this release does not know: {}", list(unknown)),
            "a newer release was here; this one works only as long as that one has not removed what it needs",
            "install the newer release here too; `bitnexus --version` says which this is",
        );
    }
    if !unfinished.is_empty() {
        seen.find(
            Severity::Error,
            "unfinished",
            format!("migrations began and did not end: {}", list(unfinished)),
            "the schema is between two releases, and `bitnexus migrate` refuses to go on",
            "restore the backup from before the release, then `bitnexus migrate`",
        );
    }
    if !changed.is_empty() {
        seen.find(
            Severity::Error,
            "changed",
            format!("migrations were applied with another content than this release has: {}", list(changed)),
            "nobody knows what the schema is, and `bitnexus migrate` refuses to go on",
            "run the binary of the release that migrated; one that was built from changed files must not touch this database",
        );
    }
}
