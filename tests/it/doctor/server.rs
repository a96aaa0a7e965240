//! The server: whether it is reached, what it is, how it is set.

use std::collections::BTreeSet;
use std::net::TcpListener;

use cli::commands::doctor::Severity;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::{Connection, PgConnection};
use tests::database::Database;
use tests::server::{Server, Shutdown};

use super::kit::{Patient, codes, severity, subject};

#[tokio::test]
async fn an_address_that_leads_nowhere_is_told_and_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, found) in [
        (Ok(format!("postgres://ada:secret@{free}/bitnexus")), "server.unreachable"),
        (Ok("mysql://ada:secret@localhost".to_owned()), "server.unreachable"),
        (Err("DATABASE_URL is not set".to_owned()), "server.no_database"),
    ] {
        let mut subject = subject("", &folder);
        (subject.url, subject.thresholds.free) = (url, 1.1);
        let report = cli::commands::doctor::examine(&subject).await;
        assert_eq!(severity(&report, found), Severity::Error);
        let elsewhere = ["key.none", "disk.folder_disk"];
        assert!(elsewhere.iter().all(|code| codes(&report).contains(*code)), "{:#?}", report.findings);
        assert!(report.not_checked.contains(&"settings"), "{:?}", report.not_checked);
        assert!(!format!("{report:?}").contains("secret"), "{report:?}");
        let what = &report.findings.iter().find(|finding| finding.check == "server").unwrap().what;
        assert!(what.matches("refused").count() < 2, "{what}");
    }
}

#[tokio::test]
async fn an_empty_database_is_looked_at_as_far_as_it_goes() {
    let database = Database::create().await;
    let mut conn = PgConnection::connect(&database.url()).await.unwrap();
    let drop = "drop schema queue, ledger, app, reconciliation cascade; drop table _sqlx_migrations";
    sqlx::raw_sql(drop).execute(&mut conn).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = cli::commands::doctor::examine(&subject(&database.url(), &folder)).await;
    let expected = ["key.none", "migrations.never", "settings.fsync_off"].map(str::to_owned);
    assert_eq!(codes(&report), BTreeSet::from(expected), "{:#?}", report.findings);
    assert!(report.not_checked.contains(&"workers"), "{:?}", report.not_checked);
}

#[tokio::test]
async fn settings_of_the_database_or_the_role_are_seen() {
    for (setting, value, found) in [
        ("synchronous_commit", "off", "settings.synchronous_commit_off"),
        ("session_replication_role", "replica", "settings.triggers_passed_over"),
        ("default_transaction_isolation", "serializable", "settings.isolation"),
        ("default_transaction_read_only", "on", "settings.read_only"),
        ("zero_damaged_pages", "on", "settings.zero_damaged_pages"),
        ("ignore_checksum_failure", "on", "settings.ignore_checksum_failure"),
        ("statement_timeout", "30s", "settings.statement_timeout"),
        ("lock_timeout", "1s", "settings.lock_timeout"),
        ("idle_in_transaction_session_timeout", "5s", "settings.idle_in_transaction"),
        ("track_activities", "off", "settings.track_activities_off"),
        ("log_statement", "all", "settings.log_statement"),
    ] {
        let mut patient = Patient::healthy().await;
        let name: String =
            sqlx::query_scalar("select current_database()::text").fetch_one(&mut patient.conn).await.unwrap();
        patient.execute(&format!("alter database {name} set {setting} = '{value}'")).await;
        patient.has(&[found]).await;
    }
}

#[tokio::test]
async fn settings_that_are_harmless_are_not() {
    let mut patient = Patient::healthy().await;
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut patient.conn).await.unwrap();
    for setting in ["statement_timeout = '5min'", "synchronous_commit = 'remote_apply'", "lock_timeout = '1min'"] {
        patient.execute(&format!("alter database {name} set {setting}")).await;
    }
    patient.has(&[]).await;
}

#[tokio::test]
async fn settings_of_the_server_are_seen() {
    let cluster = Ephemeral::start(&[
        "full_page_writes=off",
        "autovacuum=off",
        "track_counts=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "shared_buffers=16MB",
    ])
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let report = cli::commands::doctor::examine(&subject(&cluster.url("postgres"), &folder)).await;
    let found: Vec<&str> =
        report.findings.iter().filter(|finding| finding.check == "settings").map(|finding| finding.code).collect();
    let expected = ["full_page_writes_off", "autovacuum_off", "track_counts_off", "wal_level", "shared_buffers"];
    assert_eq!(found, expected);
    let restart = report.findings.iter().find(|finding| finding.code == "wal_level").unwrap();
    assert!(restart.todo.contains("restart"), "{}", restart.todo);
}

#[tokio::test]
async fn another_encoding_is_told() {
    let database = Database::create().await;
    let mut conn = PgConnection::connect(&database.url()).await.unwrap();
    let name: String = sqlx::query_scalar("select current_database()::text").fetch_one(&mut conn).await.unwrap();
    let create = format!("create database {name}_ascii encoding 'SQL_ASCII' locale 'C' template template0");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut conn).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = database.url().replace(&name, &format!("{name}_ascii"));
    let report = cli::commands::doctor::examine(&subject(&url, &folder)).await;
    assert_eq!(severity(&report, "server.encoding"), Severity::Error);
}

#[tokio::test]
async fn a_standby_is_told() {
    let mut server = Server::start(&[]);
    std::fs::write(server.folder().join("data/standby.signal"), "").unwrap();
    server.restart(Shutdown::Fast);
    let folder = tempfile::tempdir().unwrap();
    let report = cli::commands::doctor::examine(&subject(&server.url("postgres"), &folder)).await;
    assert_eq!(severity(&report, "server.standby"), Severity::Error);
}

#[tokio::test]
async fn a_check_that_fails_hides_no_other() {
    let mut patient = Patient::healthy().await;
    let mut other = PgConnection::connect(patient.subject.url.as_ref().unwrap()).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::raw_sql("lock table queue.dead_job in access exclusive mode").execute(&mut *lock).await.unwrap();
    patient.execute("delete from queue.process").await;
    // Definitions of a table wait for its lock, too.
    patient.has(&["queues.not_looked_at", "schema.not_looked_at", "workers.none"]).await;
}
