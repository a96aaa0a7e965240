//! Spans of a request, of its jobs and of theirs reach the collector in one trace, and a collector that is away is
//! nobody's trouble.

use std::time::Instant;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use tests::certificate;
use tests::service::Service;
use tests::wait::until;

use super::kit::{Collector, PATIENCE, attribute, deposit, hex, send, user};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

async fn start(collector: &Collector) -> Service {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    Service::start_with(&variables).await
}

#[tokio::test]
async fn a_request_and_what_follows_from_it_are_one_trace() {
    let collector = Collector::start().await;
    let service = start(&collector).await;
    let user = user(&service, "ada@example.org").await;
    let trace = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", trace.as_str()), ("x-request-id", "the-request"), ("prefer", "wait=30")];
    let (status, recorded) = send(&service, ("POST", "/api/v1/transactions"), &deposit(&user), &headers).await;
    assert_eq!((status, &recorded["status"]), (200, &json!("recorded")), "{recorded}");
    let of = |name: &'static str| move |span: &Span| hex(&span.trace_id) == TRACE && span.name == name;
    let (from, request) = collector.until("the request", of("POST /api/v1/transactions")).await;
    assert_eq!((from.as_str(), hex(&request.parent_span_id).as_str()), ("bitnexus-api", CALLER));
    assert_eq!((request.kind(), attribute(&request, "bitnexus.request_id")), (SpanKind::Server, "the-request".into()));
    assert_eq!(attribute(&request, "http.response.status_code"), "200");
    let (_, enqueue) = collector.until("the enqueueing", of("enqueue ledger.record_transaction")).await;
    assert_eq!((&enqueue.parent_span_id, enqueue.kind()), (&request.span_id, SpanKind::Producer));
    let (from, run) = collector.until("the job", of("run ledger.record_transaction")).await;
    assert_eq!((from.as_str(), run.kind()), ("bitnexus-worker", SpanKind::Consumer));
    assert_eq!(run.parent_span_id, enqueue.span_id);
    assert_eq!(attribute(&run, "messaging.message.id"), recorded["id"].as_str().unwrap());
    assert_eq!(attribute(&run, "bitnexus.job.outcomes"), "succeeded=1");
    let (_, next) = collector.until("its own job", of("enqueue ledger.publish_checkpoint")).await;
    assert_eq!(next.parent_span_id, run.span_id);
    let (_, signs) = collector.until("that job", of("run ledger.publish_checkpoint")).await;
    assert_eq!(signs.parent_span_id, next.span_id);
    assert!(request.start_time_unix_nano <= run.start_time_unix_nano && run.end_time_unix_nano > 0);
    // A schedule's jobs have a trace of their own.
    let (status, _) = send(&service, ("POST", "/api/v1/schedules/imports.sweep/run"), &json!({}), &[]).await;
    assert_eq!(status, 202);
    let (_, sweep) = collector.until("a swept shard", |span| span.name == "run imports.sweep").await;
    assert_ne!(hex(&sweep.trace_id), TRACE);
    service.stop();
}

#[tokio::test]
async fn a_batch_is_linked_to_the_trace_of_each_of_its_jobs() {
    let collector = Collector::start().await;
    let service = start(&collector).await;
    let user = user(&service, "ada@example.org").await;
    let many = json!({ "transactions": vec![deposit(&user); 40] });
    let trace = format!("00-{TRACE}-{CALLER}-01");
    let path = ("POST", "/api/v1/transactions/batch");
    let (status, answer) = send(&service, path, &many, &[("traceparent", &trace)]).await;
    assert!((200..300).contains(&status), "{answer}");
    let is_batch = |span: &Span| span.name == "run ledger.record_transaction" && span.links.len() > 1;
    let (_, batch) = collector.until("a batch", is_batch).await;
    assert_ne!(hex(&batch.trace_id), TRACE);
    assert_eq!(attribute(&batch, "messaging.batch.message_count"), batch.links.len().to_string());
    let (_, enqueue) = collector
        .until("the enqueueing", |span| {
            hex(&span.trace_id) == TRACE && span.name == "enqueue ledger.record_transaction"
        })
        .await;
    assert!(batch.links.iter().all(|link| link.span_id == enqueue.span_id && hex(&link.trace_id) == TRACE));
    let is_member =
        |span: &Span| span.parent_span_id == enqueue.span_id && span.name == "run ledger.record_transaction";
    let (_, member) = collector.until("each job by itself", |span| is_member(span) && !span.links.is_empty()).await;
    assert_eq!((member.links.len(), hex(&member.trace_id).as_str()), (1, TRACE));
    service.stop();
}

/// A service whose collector is of no use does all it would do otherwise. Returns what it logged.
async fn is_unaffected(collector: &Collector) -> String {
    let service = start(collector).await;
    let user = user(&service, "ada@example.org").await;
    let began = Instant::now();
    for _ in 0..200 {
        let (status, answer) = send(&service, ("POST", "/api/v1/transactions"), &deposit(&user), &[]).await;
        assert_eq!(status, 202, "{answer}");
    }
    let wait = [("prefer", "wait=30")];
    let (status, answer) = send(&service, ("POST", "/api/v1/transactions"), &deposit(&user), &wait).await;
    assert_eq!((status, &answer["status"]), (200, &json!("recorded")));
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let log = service.log();
    service.stop();
    log
}

#[tokio::test]
async fn a_collector_that_hangs_holds_nobody_up() {
    is_unaffected(&Collector::hanging().await).await;
}

#[tokio::test]
async fn a_collector_that_is_gone_is_named_once() {
    let mut collector = Collector::hanging().await;
    // Nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    collector.address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let log = is_unaffected(&collector).await;
    let named = log.matches("the collector does not take spans").count();
    assert!((1..=3).contains(&named), "once by the api and each worker at most: {named}");
}

#[tokio::test]
async fn a_collector_by_https_is_believed_if_its_authority_is() {
    let folder = tempfile::tempdir().unwrap();
    if !certificate::make(folder.path(), "localhost") {
        eprintln!("skipped: this machine has no openssl");
        return;
    }
    let mut collector = Collector::start().await;
    collector.address = certificate::front(folder.path(), &collector.address).await;
    let authority = folder.path().join("certificate.pem");
    for (name, file) in [("OTEL_EXPORTER_OTLP_CERTIFICATE", authority.to_str().unwrap()), ("UNRELATED", "")] {
        let variables =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.address), ("OTEL_BSP_SCHEDULE_DELAY", "100"), (name, file)];
        let service = Service::start_with(&variables).await;
        let user = user(&service, "ada@example.org").await;
        let (status, answer) = send(&service, ("POST", "/api/v1/transactions"), &deposit(&user), &[]).await;
        assert_eq!(status, 202, "{answer}");
        if file.is_empty() {
            let refused = || service.log().contains("the collector does not take spans").then_some(());
            until("it to be said", PATIENCE, refused).await;
        } else {
            collector.until("the request", |span| span.name == "POST /api/v1/transactions").await;
        }
        service.stop();
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_by_name() {
    let rows = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "OTEL_TRACES_SAMPLER"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "OTEL_TRACES_EXPORTER"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "OTEL_EXPORTER_OTLP_TIMEOUT"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem", "OTEL_EXPORTER_OTLP_CERTIFICATE: /nowhere.pem"),
    ];
    for (name, value, told) in rows {
        let mut command = std::process::Command::new(tests::binary::path());
        command.arg("api").env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1").env(name, value);
        let output = command.env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(told), "{name}={value}: {said}");
    }
}
