//! Each line says whose it is, and what it is about.

use serde_json::{Value, json};
use tests::service::Service;
use tests::wait::until;

use super::kit::{PATIENCE, deposit, send, user};

/// The lines of the service that are JSON, which all of its processes but PostgreSQL write, and the banner aside.
fn lines(service: &Service) -> Vec<Value> {
    service.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for a line with this message that this is true of.
async fn line(service: &Service, message: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let find = || lines(service).into_iter().find(|line| line["message"] == message && wanted(line));
    until(message, PATIENCE, find).await
}

#[tokio::test]
async fn a_line_names_the_process_the_request_and_the_job() {
    let service = Service::start_with(&[("RUST_LOG", "info,api=debug,queue=debug")]).await;
    let user = user(&service, "ada@example.org").await;
    let headers = [("x-request-id", "checkout-7"), ("prefer", "wait=30")];
    let (status, recorded) = send(&service, ("POST", "/api/v1/transactions"), &deposit(&user), &headers).await;
    assert_eq!(status, 200, "{recorded}");
    let id = &recorded["id"];
    let answered = line(&service, "answered", |line| line["request_id"] == "checkout-7").await;
    assert_eq!((&answered["role"], &answered["transaction_id"]), (&json!("api"), id));
    assert_eq!((&answered["route"], &answered["status"]), (&json!("/api/v1/transactions"), &json!(200)));
    let ran = line(&service, "ran", |line| line["job_id"] == *id).await;
    assert_eq!((&ran["role"], &ran["transaction_id"], &ran["attempt"]), (&json!("worker"), id, &json!(1)));
    assert_eq!((&ran["kind"], &ran["outcomes"]), (&json!("ledger.record_transaction"), &json!("succeeded=1")));
    assert!(ran["slot"] == 1 || ran["slot"] == 2, "{ran}");
    assert_eq!(ran["trace_id"], answered["trace_id"], "also without a collector, and a caller that traces");
    assert_eq!(ran["trace_id"].as_str().unwrap().len(), 32);
    let signed = line(&service, "ran", |line| line["kind"] == "ledger.publish_checkpoint").await;
    assert_eq!(signed["trace_id"], ran["trace_id"], "it was enqueued by that job");
    for line in lines(&service) {
        let pid = line["pid"].as_u64().unwrap();
        assert!(pid > 0 && line["role"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    service.stop();
}
