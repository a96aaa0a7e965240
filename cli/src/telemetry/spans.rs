//! Spans to an OpenTelemetry collector, by OTLP over HTTP with protobuf.
//!
//! They wait in a bounded queue and go in batches from a thread of their own: nobody waits for the collector, and what
//! does not fit while it is away is dropped. Without a collector none of this is there.

use std::env;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use jobs::webhooks::client::tls;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};
use queue::trace::{self, Sampler, SpanRecord, TraceContext, Value};
use reqwest::Url;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::{Identity, TelemetryArgs};
use crate::tls::authorities;

/// How long the last spans may take when a process stops.
const FINISH_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one export may take, unless OTEL_EXPORTER_OTLP_TIMEOUT says otherwise.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// The way of a process's spans to the collector, if there is one.
pub struct Spans {
    processor: Option<Arc<BatchSpanProcessor>>,
}

impl Spans {
    /// Begins to send spans if the environment or the command line names a collector. To be called once, inside a runtime
    /// with several threads.
    ///
    /// # Errors
    /// When one of OpenTelemetry's variables has a value that is not understood.
    pub fn start(args: &TelemetryArgs, identity: Identity) -> Result<Spans> {
        let Some(url) = collector(args)? else { return Ok(Spans { processor: None }) };
        let sampler = sampler()?;
        let exporter = SpanExporter::builder().with_http().with_http_client(Client::new()?);
        let exporter = exporter.with_protocol(Protocol::HttpBinary).with_endpoint(url.as_str()).build();
        let exporter = exporter.context("making the exporter of spans")?;
        let mut processor = BatchSpanProcessor::builder(exporter).build();
        processor.set_resource(&resource(identity));
        let processor = Arc::new(processor);
        let (sink, scope) = (processor.clone(), InstrumentationScope::builder("bitnexus").build());
        trace::export(sampler, move |record| sink.on_end(data(record, scope.clone())));
        tracing::info!("spans are sent to a collector");
        Ok(Spans { processor: Some(processor) })
    }

    /// Sends what is left, within two seconds.
    pub async fn finish(self) {
        let Some(processor) = self.processor else { return };
        let finish = tokio::task::spawn_blocking(move || processor.shutdown_with_timeout(FINISH_TIMEOUT));
        if !matches!(finish.await, Ok(Ok(()))) {
            tracing::warn!("the last spans did not reach the collector");
        }
    }
}

/// A variable that is set to something.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where spans go, if anywhere.
fn collector(args: &TelemetryArgs) -> Result<Option<Url>> {
    let is_off = given("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let exporter = given("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
    if !["otlp", "none"].contains(&exporter.as_str()) {
        bail!("OTEL_TRACES_EXPORTER: `{exporter}` is neither otlp nor none");
    }
    let endpoint = args.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
    let (name, url) = match (given("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), endpoint) {
        _ if is_off || exporter == "none" => return Ok(None),
        (Some(url), _) => ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url),
        (None, Some(base)) => {
            ("--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT)", format!("{}/v1/traces", base.trim_end_matches('/')))
        }
        (None, None) => return Ok(None),
    };
    for protocol in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some(other) = given(protocol).filter(|value| value != "http/protobuf") {
            bail!("{protocol}: `{other}` is not spoken here; it is http/protobuf");
        }
    }
    // The address may hold a password, and is not repeated.
    let url = Url::parse(&url).map_err(|error| anyhow!("{name}: not an address: {error}"))?;
    if !["http", "https"].contains(&url.scheme()) {
        bail!("{name}: an address begins with http:// or https://");
    }
    Ok(Some(url))
}

fn sampler() -> Result<Sampler> {
    let Some(name) = given("OTEL_TRACES_SAMPLER") else { return Ok(Sampler::PARENT_OR_ALWAYS) };
    let sampler = Sampler::parse(&name, given("OTEL_TRACES_SAMPLER_ARG").as_deref());
    sampler.map_err(|error| anyhow!("OTEL_TRACES_SAMPLER (OTEL_TRACES_SAMPLER_ARG): `{name}`: {error}"))
}

/// What every span of this process has in common. OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME overrule it.
fn resource(identity: Identity) -> Resource {
    let own = [
        KeyValue::new("service.name", format!("bitnexus-{}", identity.role)),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", format!("{identity}-{}", Uuid::new_v4())),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    let named = given("OTEL_SERVICE_NAME").map(|name| KeyValue::new("service.name", name));
    let builder = Resource::builder_empty().with_attributes(own).with_detector(Box::new(EnvResourceDetector::new()));
    builder.with_attributes(named).build()
}

/// A span as the exporter takes it.
fn data(record: SpanRecord, scope: InstrumentationScope) -> SpanData {
    let mut links = SpanLinks::default();
    links.links = record.links.into_iter().map(|link| Link::with_context(context(link, true))).collect();
    let parent = record.parent.map(|parent| parent.numbers().1.to_be_bytes());
    SpanData {
        span_context: context(record.context, false),
        parent_span_id: parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: record.parent.is_some() && record.kind != trace::SpanKind::Producer,
        span_kind: match record.kind {
            trace::SpanKind::Server => SpanKind::Server,
            trace::SpanKind::Producer => SpanKind::Producer,
            trace::SpanKind::Consumer => SpanKind::Consumer,
        },
        name: record.name,
        start_time: record.started,
        end_time: record.ended,
        attributes: record.attributes.into_iter().map(|(name, value)| attribute(name, value)).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: record.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope,
    }
}

fn context(context: TraceContext, is_remote: bool) -> SpanContext {
    let (trace_id, span_id, flags) = context.numbers();
    let (trace_id, span_id) = (TraceId::from(trace_id), SpanId::from(span_id));
    SpanContext::new(trace_id, span_id, TraceFlags::new(flags), is_remote, TraceState::default())
}

fn attribute(name: &'static str, value: Value) -> KeyValue {
    match value {
        Value::Text(text) => KeyValue::new(name, text.into_owned()),
        Value::Number(number) => KeyValue::new(name, number),
    }
}

/// The exporter's way out: it works on a thread of its own, and sends by the process's runtime.
#[derive(Debug)]
struct Client {
    http: reqwest::Client,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl Client {
    fn new() -> Result<Client> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
        let mut timeout = EXPORT_TIMEOUT;
        if let Some((name, value)) = names.into_iter().find_map(|name| Some((name, given(name)?))) {
            let milliseconds = value.parse().map_err(|_| anyhow!("{name}: `{value}` is no number of milliseconds"))?;
            timeout = Duration::from_millis(milliseconds);
        }
        let names = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
        let authorities = match names.into_iter().find_map(|name| Some((name, given(name)?))) {
            Some((name, file)) => authorities(name, Some(Path::new(&file)))?,
            None => Vec::new(),
        };
        let http = reqwest::Client::builder().use_preconfigured_tls(tls(authorities)).timeout(timeout);
        let http = http.build().context("making the client of the collector")?;
        Ok(Client { http, runtime: Handle::current(), is_failing: AtomicBool::new(false) })
    }

    async fn send(http: reqwest::Client, request: Request<Bytes>) -> reqwest::Result<Response<Bytes>> {
        let answer = http.execute(request.try_into()?).await?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await?;
        Ok(response)
    }

    /// Tells of a change, once.
    fn note(&self, error: Option<String>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_failing => tracing::warn!(error, "the collector does not take spans; they are dropped"),
            None if was_failing => tracing::info!("the collector takes spans again"),
            _ => {}
        }
    }
}

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sent = self.runtime.spawn(Client::send(self.http.clone(), request));
        Box::pin(async move {
            // Without the address, which may hold a password.
            let sent = sent.await?.map_err(reqwest::Error::without_url);
            self.note(match &sent {
                Ok(answer) if answer.status().is_success() => None,
                Ok(answer) => Some(answer.status().to_string()),
                Err(error) => Some(error.to_string()),
            });
            Ok(sent?)
        })
    }
}
