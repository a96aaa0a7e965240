//! Clock, disk, connections, and whoever holds an old snapshot.

use std::time::{Duration, SystemTime};

use cli::migrations::migrate;
use cli::postgres::ephemeral::Ephemeral;
use sqlx::{Connection, PgConnection};

use super::kit::Patient;

#[tokio::test]
async fn a_clock_that_is_off_is_told() {
    let mut patient = Patient::healthy().await;
    for clock in [
        || SystemTime::now() + Duration::from_secs(3_600),
        || SystemTime::now().checked_sub(Duration::from_secs(3_600)).unwrap(),
    ] {
        patient.subject.clock = clock;
        patient.has(&["clock.skew"]).await;
    }
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let mut patient = Patient::healthy().await;
    patient.subject.thresholds.free = 1.1;
    patient.has(&["disk.database_disk", "disk.folder_disk"]).await;
}

#[tokio::test]
async fn an_old_transaction_is_told() {
    let mut patient = Patient::healthy().await;
    let mut other = PgConnection::connect(patient.subject.url.as_ref().unwrap()).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::raw_sql("select from ledger.book").execute(&mut *held).await.unwrap();
    patient.has(&[]).await;
    patient.subject.thresholds.transaction_s = 0.0;
    patient.has(&["snapshots.transaction"]).await;
    held.rollback().await.unwrap();
    patient.has(&[]).await;
}

#[tokio::test]
async fn rows_that_are_not_frozen_are_told() {
    let mut patient = Patient::healthy().await;
    patient.subject.thresholds.unfrozen = 0;
    patient.has(&["snapshots.unfrozen"]).await;
}

#[tokio::test]
async fn prepared_transactions_and_slots_are_told() {
    let cluster = Ephemeral::start(&["fsync=off", "max_prepared_transactions=5", "wal_level=logical"]).unwrap();
    let url = cluster.url("postgres");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    migrate(&mut conn).await.unwrap();
    let mut patient = Patient::of(&url).await;
    patient.subject.thresholds.prepared_s = 0.0;
    patient.has(&[]).await;
    patient.execute("begin; create table public.mine (); prepare transaction 'of nobody'").await;
    patient.has(&["snapshots.prepared"]).await;
    patient.execute("rollback prepared 'of nobody'").await;
    patient.execute("select pg_create_physical_replication_slot('of_nobody', true)").await;
    patient.has(&["snapshots.slot"]).await;
}

#[tokio::test]
async fn a_server_with_too_few_connections_is_told() {
    let mut patient = Patient::healthy().await;
    let name: String =
        sqlx::query_scalar("select current_database()::text").fetch_one(&mut patient.conn).await.unwrap();
    patient.execute(&format!("alter database {name} connection limit 60")).await;
    patient.has(&["connections.too_few"]).await;
}

#[tokio::test]
async fn each_process_that_lives_counts() {
    let mut patient = Patient::healthy().await;
    for _ in 0..20 {
        patient.execute(super::kit::WORKER).await;
    }
    // 21 of them, 30 each, are more than the 300 of the tests' own server.
    patient.has(&["connections.too_few"]).await;
}

#[tokio::test]
async fn a_server_whose_connections_are_nearly_used_up_is_told() {
    let cluster = Ephemeral::start(&["fsync=off", "max_connections=123"]).unwrap();
    let url = cluster.url("postgres");
    let mut conn = PgConnection::connect(&url).await.unwrap();
    migrate(&mut conn).await.unwrap();
    let patient = Patient::of(&url).await;
    patient.has(&[]).await;
    let mut others = Vec::new();
    for _ in 0..112 {
        others.push(PgConnection::connect(&url).await.unwrap());
    }
    patient.has(&["connections.nearly_used_up"]).await;
}
