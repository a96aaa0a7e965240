//! A database that lacks nothing but its server's `fsync`, ways to break it, and what the doctor then finds.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use cli::commands::doctor::{Report, Severity, Subject, Thresholds, examine};
use ledger::keys::SigningKey;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tests::database::{AS_INSTALLED, Database};

/// What the tests' own server lacks.
const OF_THE_SERVER: &str = "settings.fsync_off";

/// A live worker process that takes everything.
pub(super) const WORKER: &str = "
    insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
    values (gen_random_uuid(), 1, 'there', '{ledger,accounts,products}', now(), now(), now() + interval '1 hour')";

/// An installation to look at.
pub(super) struct Patient {
    pub(super) subject: Subject,
    pub(super) conn: PgConnection,
    pub(super) folder: TempDir,
}

impl Patient {
    /// One without any fault of its own.
    pub(super) async fn healthy() -> Patient {
        Patient::of(&Database::create().await.url()).await
    }

    /// The same on a migrated database elsewhere.
    pub(super) async fn of(url: &str) -> Patient {
        let mut conn = PgConnection::connect(url).await.unwrap();
        // The template of the tests' databases may be old by now.
        for statement in [WORKER, "update ledger.book set created_at = now()", AS_INSTALLED] {
            sqlx::raw_sql(statement).execute(&mut conn).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let patient = Patient { subject: subject(url, &folder), conn, folder };
        patient.write_key(&SigningKey::generate("doctor.example/main").unwrap().to_text());
        patient
    }

    /// Writes the signing key's file, for its owner only.
    pub(super) fn write_key(&self, text: &str) {
        let path = self.folder.path().join("ledger.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    pub(super) async fn execute(&mut self, statements: &str) {
        let statements = sqlx::AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut self.conn).await.unwrap();
    }

    pub(super) async fn report(&self) -> Report {
        examine(&self.subject).await
    }

    /// Panics unless exactly these are found, whatever the server lacks.
    pub(super) async fn has(&self, expected: &[&str]) {
        let report = self.report().await;
        commands_exist(&report);
        let mut found = codes(&report);
        found.remove(OF_THE_SERVER);
        assert_eq!(found, expected.iter().map(|code| (*code).to_owned()).collect(), "{:#?}", report.findings);
    }
}

/// What is looked at: this address, with a folder of its own and the usual thresholds.
pub(super) fn subject(url: &str, folder: &TempDir) -> Subject {
    Subject {
        url: Ok(url.to_owned()),
        dir: folder.path().to_owned(),
        signing_key_file: None,
        thresholds: Thresholds { free: 0.0, ..Thresholds::default() },
        clock: SystemTime::now,
    }
}

/// The findings by check and code.
pub(super) fn codes(report: &Report) -> BTreeSet<String> {
    report.findings.iter().map(|finding| format!("{}.{}", finding.check, finding.code)).collect()
}

/// The severity of what is found under this name.
pub(super) fn severity(report: &Report, name: &str) -> Severity {
    let found = report.findings.iter().find(|finding| name == format!("{}.{}", finding.check, finding.code));
    found.unwrap_or_else(|| panic!("{name}: {:#?}", report.findings)).severity
}

/// Every command of ours that a finding recommends is one.
fn commands_exist(report: &Report) {
    for finding in &report.findings {
        for quoted in finding.todo.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("bitnexus ")) {
            let words = shell_words(quoted);
            if let Err(error) = cli::commands::command().try_get_matches_from(&words) {
                // What only lacks an id, or asks for help, is well formed.
                let kind = format!("{:?}", error.kind());
                let is_fine = ["DisplayHelp", "DisplayVersion", "MissingRequiredArgument"].contains(&kind.as_str());
                assert!(is_fine, "{quoted}: {error}");
            }
        }
    }
}

/// Splits at spaces outside single quotes.
fn shell_words(text: &str) -> Vec<String> {
    let (mut words, mut is_quoted) = (vec![String::new()], false);
    for letter in text.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}
