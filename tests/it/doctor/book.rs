//! The ledger's log, its keys, and its reconciliation.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use cli::commands::doctor::Severity;
use ledger::Book;
use ledger::checkpoint::sign_head;
use ledger::keys::SigningKey;

use super::kit::{Patient, severity};
use crate::ledger_kit::{Bench, transfer};

const ORIGIN: &str = "doctor.example/main";

/// A book with one transaction.
async fn posted() -> (Bench, Patient) {
    let mut bench = Bench::create(1).await;
    bench.post_one(&transfer(bench.cash, bench.wallets[0], 5)).await;
    let patient = Patient::of(&bench.database.url()).await;
    (bench, patient)
}

#[tokio::test]
async fn what_is_not_signed_is_told() {
    let (mut bench, mut patient) = posted().await;
    patient.has(&[]).await;
    patient.subject.thresholds.unsigned_s = 0.0;
    patient.has(&["log.unsigned"]).await;
    assert_eq!(severity(&patient.report().await, "log.unsigned"), Severity::Error);
    let key = SigningKey::generate(ORIGIN).unwrap();
    patient.write_key(&key.to_text());
    sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap();
    patient.subject.thresholds.unsigned_s = 0.0;
    patient.has(&[]).await;
}

#[tokio::test]
async fn a_log_that_was_put_back_is_told() {
    let (mut bench, patient) = posted().await;
    let key = SigningKey::generate(ORIGIN).unwrap();
    patient.write_key(&key.to_text());
    sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap();
    patient.has(&[]).await;
    bench.execute("update ledger.book set root = sha256('another')".to_owned()).await;
    patient.has(&["log.rolled_back"]).await;
    bench.execute("update ledger.book set size = 0, recorded_at = null".to_owned()).await;
    patient.has(&["key.not_in_force", "log.rolled_back"]).await;
}

#[tokio::test]
async fn a_ledger_that_is_ahead_of_the_clock_is_told() {
    let (mut bench, patient) = posted().await;
    patient.has(&[]).await;
    bench.execute("update ledger.book set recorded_at = recorded_at + interval '1 hour'".to_owned()).await;
    patient.has(&["log.ahead"]).await;
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_told() {
    let (mut bench, patient) = posted().await;
    let key = SigningKey::generate(ORIGIN).unwrap();
    sign_head(&mut bench.conn, Book::MAIN, &key).await.unwrap();
    let path = patient.folder.path().join("ledger.key");
    // The one in the file is another's.
    patient.has(&["key.not_in_force"]).await;
    patient.write_key(&key.to_text());
    patient.has(&[]).await;
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    patient.has(&["key.exposed"]).await;
    patient.write_key("PRIVATE+KEY+nonsense");
    patient.has(&["key.unreadable"]).await;
    assert!(!format!("{:?}", patient.report().await).contains("nonsense"));
    fs::remove_file(path).unwrap();
    patient.has(&["key.none"]).await;
}

#[tokio::test]
async fn a_late_reconciliation_and_open_breaks_are_told() {
    let mut patient = Patient::healthy().await;
    patient.execute("update ledger.book set created_at = now() - interval '1 hour'").await;
    patient.has(&["reconciliation.late"]).await;
    patient
        .execute(
            "insert into reconciliation.run (id, book, kind, repair, state, asked_by, asked_at, started_at, ended_at, digest)
             values (gen_random_uuid(), 1, 'full', false, 'clean', 'cli:ada', now(), now(), now(), sha256('report'))",
        )
        .await;
    patient.has(&[]).await;
    for (severity_of_break, expected) in [("low", Severity::Warning), ("critical", Severity::Error)] {
        patient
            .execute(&format!(
                "insert into reconciliation.break (id, book, key, class, sub_class, severity, severity_least, subject_kind,
                     subject, detail, first_run, last_run)
                 select gen_random_uuid(), 1, sha256('{severity_of_break}'), 'R2', 'balance', '{severity_of_break}', 'low',
                     'account', 'a', 'b', id, id
                   from reconciliation.run"
            ))
            .await;
        patient.has(&["reconciliation.breaks"]).await;
        assert_eq!(severity(&patient.report().await, "reconciliation.breaks"), expected);
    }
}
