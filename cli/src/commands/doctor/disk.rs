//! Room for the database, where its disk is this machine's.

use std::path::Path;

use anyhow::Result;
use rustix::fs::statvfs;
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, size};
use crate::config::options;

/// So little is used up before anybody looks again.
const BYTES_MIN: u64 = 1 << 30;

/// Tells the size of the database, and looks at the disk of its data.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let row = sqlx::query!(
        r#"
        select pg_database_size(current_database()) as "bytes!",
               (select setting from pg_catalog.pg_settings where name = 'data_directory') as data
        "#
    );
    let row = row.fetch_one(conn).await?;
    seen.fact("size", size(row.bytes.unsigned_abs()));
    if let Some(data) = row.data.filter(|_| is_local(subject)) {
        look("database_disk", Path::new(&data), subject, &mut seen);
    }
    Ok(seen)
}

/// Looks at the disk of our folder, which takes no database.
pub(super) fn check_folder(subject: &Subject) -> Seen {
    let mut seen = Seen::default();
    if subject.dir.exists() {
        look("folder_disk", &subject.dir, subject, &mut seen);
    }
    seen
}

/// Whether the server runs on this machine.
fn is_local(subject: &Subject) -> bool {
    let options = subject.url.as_deref().ok().and_then(|url| options(url).ok());
    options.is_some_and(|options| {
        options.get_socket().is_some() || ["localhost", "127.0.0.1", "::1"].contains(&options.get_host())
    })
}

/// A folder that cannot be looked at, as in another container, is none of this machine's.
fn look(code: &'static str, folder: &Path, subject: &Subject, seen: &mut Seen) {
    let Ok(disk) = statvfs(folder) else { return };
    let (free, all) = (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize);
    if code == "database_disk" {
        seen.fact("disk", format!("{} of {} free at {}", size(free), size(all), folder.display()));
    }
    let share = if all == 0 { 1.0 } else { free as f64 / all as f64 };
    if share >= subject.thresholds.free || (subject.thresholds.free < 1.0 && free > 100 * BYTES_MIN) {
        return;
    }
    seen.find(
        if free < BYTES_MIN { Severity::Error } else { Severity::Warning },
        code,
        format!("{} of {} are free at {}", size(free), size(all), folder.display()),
        "when the disk is full PostgreSQL stops, and nothing is accepted; what was accepted stays",
        "make room or a larger disk; `bitnexus db psql -c '\\l+'` and `-c '\\dt+ queue.*'` show what is large",
    );
}
