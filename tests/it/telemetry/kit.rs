//! A collector of spans, and a client of a running service.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tests::service::Service;
use tests::wait::until_async;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long anything may take: much longer than it does, for a machine that is busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A collector of OTLP over HTTP.
pub(super) struct Collector {
    pub(super) address: String,
    /// With the name of the service that each came from.
    spans: Arc<Mutex<Vec<(String, Span)>>>,
}

impl Collector {
    /// Takes whatever comes.
    pub(super) async fn start() -> Collector {
        let (listener, address) = listen().await;
        let spans = Arc::new(Mutex::new(Vec::new()));
        let sink = spans.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, sink.clone()));
            }
        });
        Collector { address, spans }
    }

    /// Accepts, and never answers.
    pub(super) async fn hanging() -> Collector {
        let (listener, address) = listen().await;
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                held.push(stream);
            }
        });
        Collector { address, spans: Arc::default() }
    }

    /// Waits for a span that this is true of; returns it with its service.
    pub(super) async fn until(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> (String, Span) {
        until_async(what, PATIENCE, async || self.all().into_iter().find(|(_, span)| wanted(span))).await
    }

    /// What has come so far.
    pub(super) fn all(&self) -> Vec<(String, Span)> {
        self.spans.lock().unwrap().clone()
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

/// Answers the requests of one connection.
async fn take(mut stream: TcpStream, sink: Arc<Mutex<Vec<(String, Span)>>>) {
    let mut bytes = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        assert!(head.starts_with("post /v1/traces ") && head.contains("application/x-protobuf"), "{head}");
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
        let all = end + length.parse::<usize>().unwrap();
        while bytes.len() < all {
            assert_ne!(stream.read_buf(&mut bytes).await.unwrap_or(0), 0, "the body is cut");
        }
        let request = ExportTraceServiceRequest::decode(&bytes[end..all]).unwrap();
        bytes.drain(..all);
        for of_service in request.resource_spans {
            let attributes = of_service.resource.unwrap_or_default().attributes;
            let name = attributes.iter().find(|one| one.key == "service.name").and_then(|one| one.value.clone());
            let Some(any_value::Value::StringValue(name)) = name.and_then(|value| value.value) else {
                panic!("a service has a name")
            };
            let spans = of_service.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans);
            sink.lock().unwrap().extend(spans.map(|span| (name.clone(), span)));
        }
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap_or_default();
    }
}

/// An attribute as text.
pub(super) fn attribute(span: &Span, name: &str) -> String {
    let value = span.attributes.iter().find(|one| one.key == name).and_then(|one| one.value.clone());
    match value.and_then(|value| value.value) {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{name} of {}: {other:?}", span.name),
    }
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends JSON with these headers, and with the key unless they name another or none; returns status and body.
pub(super) async fn send(
    service: &Service,
    (method, path): (&str, &str),
    body: &Value,
    headers: &[(&str, &str)],
) -> (u16, Value) {
    let method = method.parse().unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", service.url)).json(body);
    if headers.iter().all(|(name, _)| *name != "authorization") {
        request = request.bearer_auth(&service.key);
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

/// A user; its wallet is open when this returns.
pub(super) async fn user(service: &Service, email: &str) -> Value {
    let new = json!({ "email": email, "name": "Somebody", "currencies": ["GBP"] });
    let (status, user) = send(service, ("POST", "/api/v1/users"), &new, &[]).await;
    assert_eq!(status, 201, "{user}");
    let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
    let open = async || {
        let (_, user) = send(service, ("GET", &path), &json!(null), &[]).await;
        (user["wallets"][0]["state"] == "open").then_some(user)
    };
    until_async("the wallet to open", PATIENCE, open).await
}

/// The request for a deposit of a pound.
pub(super) fn deposit(user: &Value) -> Value {
    json!({
        "type": "deposit",
        "to": user["wallets"][0]["account_id"],
        "amount": { "amount": "1.00", "currency": "GBP" }
    })
}
