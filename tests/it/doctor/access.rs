//! Who may do what: the service's role, and logins that may do more.

use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tests::database::Database;

use super::kit::Patient;

#[tokio::test]
async fn rights_that_are_missing_or_too_many_are_told() {
    for (change, found) in [
        ("revoke insert on app.event_cursor from bitnexus_service", "grants.too_few"),
        ("revoke usage on schema reconciliation from bitnexus_service", "grants.too_few"),
        ("grant update on ledger.entry to bitnexus_service", "grants.too_many"),
        ("grant truncate on reconciliation.break_change to public", "grants.too_many"),
    ] {
        let mut patient = Patient::healthy().await;
        patient.execute(change).await;
        patient.has(&[found]).await;
        let report = patient.report().await;
        let finding = report.findings.iter().find(|finding| finding.check == "grants").unwrap();
        // What it says to do does it.
        for statement in finding.todo.split('`').skip(1).step_by(2).filter(|text| text.starts_with("revoke")) {
            patient.execute(statement).await;
        }
        migrate(&mut patient.conn).await.unwrap();
        patient.has(&[]).await;
    }
}

#[tokio::test]
async fn a_missing_role_is_told() {
    let cluster = Ephemeral::start(&["fsync=off"]).unwrap();
    let url = cluster.url("postgres");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    migrate(&mut conn).await.unwrap();
    let mut patient = Patient::of(&url).await;
    patient.has(&[]).await;
    patient
        .execute(
            "reassign owned by bitnexus_service to bitnexus;
             drop owned by bitnexus_service;
             drop role bitnexus_service",
        )
        .await;
    patient.has(&["grants.no_role"]).await;
}

#[tokio::test]
async fn a_role_that_serves_as_the_owner_is_told() {
    let patient = Patient::healthy().await;
    let options: PgConnectOptions = patient.subject.url.as_ref().unwrap().parse().unwrap();
    let api = PgConnection::connect_with(&options.application_name("bitnexus api")).await.unwrap();
    patient.has(&["grants.owner_serves"]).await;
    api.close().await.unwrap();
}

#[tokio::test]
async fn the_services_own_login_can_run_it() {
    let database = Database::create().await;
    let mut patient = Patient::of(&database.url()).await;
    let login = cli::postgres::initdb::SERVICE;
    patient
        .execute(&format!(
            "create role {login} login in role bitnexus_service; alter role {login} set role = 'bitnexus_service'"
        ))
        .await;
    let as_owner = patient.subject.url.clone();
    let as_service = patient.subject.url.as_ref().unwrap().replacen("bitnexus@", &format!("{login}@"), 1);
    let service = PgConnection::connect(&as_service).await.unwrap();
    patient.subject.url = Ok(as_service);
    // It does not see what others do, and says so.
    patient.has(&["snapshots.sight"]).await;
    service.close().await.unwrap();
    patient.subject.url = as_owner;
    patient.execute(&format!("drop role {login}")).await;
}
