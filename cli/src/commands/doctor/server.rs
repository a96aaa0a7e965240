//! Whether the database is reached, and what it is.

use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::examine::Subject;
use super::report::{Seen, Severity, told};
use crate::config::options;
use crate::folder::Folder;
use crate::folder::running::Running;
use crate::postgres::discover::MAJOR_MIN;
use crate::postgres::private;

/// How long connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// The first connection, or what keeps it from being made.
pub(super) async fn connect(subject: &Subject) -> Result<PgConnection, Box<Seen>> {
    let mut seen = Seen::default();
    if let Err(why) = &subject.url {
        seen.find(
            Severity::Error,
            "no_database",
            why.clone(),
            "no role but the witness can start",
            "set `DATABASE_URL`, or run this where `bitnexus up` runs",
        );
        hear(subject, &mut seen);
        return Err(Box::new(seen));
    }
    open(subject).await.map_err(|error| {
        seen.find(
            Severity::Error,
            "unreachable",
            told(&error),
            "the API answers 503 and workers wait until the database is back",
            "start PostgreSQL, or correct `DATABASE_URL`: host, port, name, password, and who may connect (pg_hba.conf)",
        );
        hear(subject, &mut seen);
        Box::new(seen)
    })
}

/// What the PostgreSQL of `bitnexus up` says itself, if it is that one which is away.
fn hear(subject: &Subject, seen: &mut Seen) {
    let Ok(folder) = Folder::open(&subject.dir) else { return };
    let running = Running::find(&folder).and_then(|running| running.database_url);
    if subject.url.as_ref().is_ok_and(|url| running.as_ref() != Some(url)) {
        return;
    }
    if let Some((words, log)) = private::last_words(&folder) {
        seen.find(
            Severity::Error,
            "does_not_start",
            format!("the PostgreSQL of `bitnexus up` says: {words}"),
            "it does not start before that is mended",
            format!("mend it, and start `bitnexus up` again if it has given up; all of it is in {}", log.display()),
        );
    }
}

/// A connection that says whose it is.
pub(super) async fn open(subject: &Subject) -> Result<PgConnection> {
    let url = subject.url.as_deref().unwrap_or_default();
    let options = options(url)?.application_name("bitnexus doctor");
    let connected = timeout(CONNECT_TIME, PgConnection::connect_with(&options)).await;
    connected
        .with_context(|| format!("connecting took longer than {CONNECT_TIME:?}"))?
        .context("the database cannot be reached")
}

/// Its version and its role.
pub(super) async fn check(conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let row = sqlx::query!(
        r#"
        select current_setting('server_version') as "version!",
               current_setting('server_version_num')::int / 10000 as "major!",
               current_setting('server_encoding') as "encoding!",
               current_database()::text as "database!",
               session_user::text as "session_user!",
               current_user::text as "role!",
               pg_is_in_recovery() as "is_standby!"
        "#
    );
    let row = row.fetch_one(conn).await?;
    seen.fact("server", format!("PostgreSQL {}", row.version));
    seen.fact("database", format!("{} as {} ({})", row.database, row.session_user, row.role));
    if u32::try_from(row.major).is_ok_and(|major| major < MAJOR_MIN) {
        seen.find(
            Severity::Error,
            "too_old",
            format!("PostgreSQL {} runs there", row.version),
            format!("our statements need {MAJOR_MIN} or newer"),
            "upgrade the server with `pg_upgrade`, or restore a dump into a newer one",
        );
    }
    if row.encoding != "UTF8" {
        seen.find(
            Severity::Error,
            "encoding",
            format!("the database's encoding is {}", row.encoding),
            "texts that it cannot hold are refused with 5xx answers",
            format!(
                "dump it and restore it into one made with `create database {} encoding 'UTF8' template template0`",
                row.database
            ),
        );
    }
    if row.is_standby {
        seen.find(
            Severity::Error,
            "standby",
            "the address leads to a standby, which cannot be written to",
            "nothing is accepted or recorded",
            "set `DATABASE_URL` to the primary; a standby belongs into `REPLICA_URL`",
        );
    }
    Ok(seen)
}
