//! Migrations and what became of what they made.

use cli::commands::doctor::{Severity, describe};
use tests::database::{AS_INSTALLED, Database};

use super::kit::{Patient, codes, severity};

/// The binary compares databases with this snapshot, which is part of it.
#[tokio::test]
async fn the_snapshot_is_what_the_migrations_make() {
    let database = Database::create().await;
    let mut conn = database.pool(1).await.acquire().await.unwrap();
    sqlx::raw_sql(AS_INSTALLED).execute(&mut *conn).await.unwrap();
    let lines: Vec<String> = describe(&mut conn)
        .await
        .unwrap()
        .iter()
        .map(|(object, definition)| format!("{object}: {definition}"))
        .collect();
    assert!(lines.len() > 500, "{}", lines.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../cli/src/commands/doctor");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("schema", lines.join("\n")));
}

#[tokio::test]
async fn a_sound_database_has_nothing() {
    let patient = Patient::healthy().await;
    patient.has(&[]).await;
    let report = patient.report().await;
    assert!(report.not_checked.is_empty(), "{:?}", report.not_checked);
    assert_eq!(report.exit_code(), 2, "the tests' own server runs without fsync");
    for fact in ["server", "database", "migrations", "workers", "connections", "history", "ledger", "size", "clock"] {
        assert!(report.facts.contains_key(fact), "{fact}: {:?}", report.facts);
    }
}

#[tokio::test]
async fn migrations_are_compared_with_the_release() {
    for (change, found) in [
        ("delete from _sqlx_migrations where version = 11", "migrations.pending"),
        ("update _sqlx_migrations set version = 9999 where version = 11", "migrations.pending migrations.unknown"),
        ("insert into _sqlx_migrations values (9999, 'newer', now(), true, '\\x00', 0)", "migrations.unknown"),
        ("update _sqlx_migrations set success = false where version = 11", "migrations.unfinished"),
        ("update _sqlx_migrations set checksum = '\\x00' where version = 11", "migrations.changed"),
    ] {
        let mut patient = Patient::healthy().await;
        patient.execute(change).await;
        patient.has(&found.split(' ').collect::<Vec<_>>()).await;
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_is_told() {
    for (change, found) in [
        ("drop index queue.job_claim", "schema.missing"),
        ("alter table app.product drop column sku cascade", "schema.missing"),
        ("alter table app.event_cursor alter column moved_at type timestamptz(3)", "schema.different"),
        ("alter table app.event_cursor alter column moved_at drop not null", "schema.different"),
        ("alter table ledger.entry disable trigger append_only", "schema.trigger_disabled"),
        ("alter table queue.job drop constraint job_can_be_found", "schema.missing"),
        (
            "create or replace function ledger.refuse_change() returns trigger language plpgsql as 'begin return new; end'",
            "schema.different",
        ),
        ("update pg_index set indisvalid = false where indexrelid = 'queue.job_due'::regclass", "schema.index_invalid"),
        ("create index mine on app.event_cursor (moved_at)", "schema.more"),
        ("drop table app.event_cursor cascade", "schema.missing"),
    ] {
        let mut patient = Patient::healthy().await;
        patient.execute(change).await;
        let report = patient.report().await;
        assert!(codes(&report).contains(found), "{change}: {:#?}", report.findings);
        assert!(codes(&report).len() == 2, "{change}: {:#?}", report.findings);
    }
}

#[tokio::test]
async fn a_guard_that_is_gone_is_told_with_the_statement_that_brings_it_back() {
    let mut patient = Patient::healthy().await;
    patient.execute("drop trigger append_only on ledger.entry").await;
    let report = patient.report().await;
    let found = report.findings.iter().find(|finding| finding.code == "missing").unwrap();
    assert_eq!(found.what, "missing: trigger ledger.entry.append_only");
    let statement = found.todo.trim_matches('`').to_owned();
    patient.execute(&statement).await;
    // The role must be given the rights of a table without its guard by nobody meanwhile: it was not migrated.
    patient.has(&[]).await;
}

#[tokio::test]
async fn an_index_that_is_gone_comes_back_by_its_statement() {
    let mut patient = Patient::healthy().await;
    patient.execute("drop index queue.job_unique").await;
    let report = patient.report().await;
    let found = report.findings.iter().find(|finding| finding.code == "missing").unwrap();
    assert!(found.todo.contains("INDEX CONCURRENTLY"), "{}", found.todo);
    patient.execute(found.todo.clone().trim_matches('`')).await;
    patient.has(&[]).await;
}

#[tokio::test]
async fn a_note_leaves_the_exit_status_alone() {
    let mut patient = Patient::healthy().await;
    patient.execute("create table app.mine (id int)").await;
    let report = patient.report().await;
    assert_eq!(severity(&report, "schema.more"), Severity::Note);
    let mut report = report;
    report.findings.retain(|finding| finding.check != "settings" && finding.check != "grants");
    assert_eq!(report.exit_code(), 0);
}
