//! How log lines look: one JSON object each, with whose it is and what it is about, or text for people.

use std::fmt;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::{SerializeMap, Serializer as _};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, format};
use tracing_subscriber::registry::LookupSpan;

use super::Identity;

/// Lines for people: whose it is, then as usual.
pub(super) struct TextLine(pub(super) Identity);

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.0.role != "command" {
            write!(writer, "{:<10} ", self.0.to_string())?;
        }
        format().format_event(ctx, writer, event)
    }
}

/// Lines for machines. What the request or the job says of itself stands beside the line's own fields, which come first
/// where both have one of the same name.
pub(super) struct JsonLine(pub(super) Identity);

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(Vec::new());
        event.record(&mut fields);
        // What came by the crate `log` says of its origin in fields.
        let target = fields.take("log.target").unwrap_or_else(|| event.metadata().target().into());
        fields.0.retain(|(name, _)| !name.starts_with("log."));
        for span in ctx.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let text = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
            let of_span: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
            of_span.into_iter().for_each(|(name, value)| fields.add_if_new(&name, value));
        }
        let message = fields.take("message").unwrap_or_default();
        let line = [
            ("timestamp", DateTime::<Utc>::from(SystemTime::now()).to_rfc3339_opts(SecondsFormat::Micros, true).into()),
            ("level", event.metadata().level().as_str().into()),
            ("role", self.0.role.into()),
            ("slot", self.0.slot.map_or(Value::Null, Value::from)),
            ("pid", std::process::id().into()),
            ("target", target),
            ("message", message),
        ];
        let line = line.into_iter().filter(|(_, value)| !value.is_null());
        let line = line.map(|(name, value)| (name.to_owned(), value)).chain(fields.0);
        writeln!(writer, "{}", object(line).map_err(|_| fmt::Error)?)
    }
}

/// A JSON object in this order.
fn object(fields: impl Iterator<Item = (String, Value)>) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    let mut map = serializer.serialize_map(None)?;
    for (name, value) in fields {
        map.serialize_entry(&name, &value)?;
    }
    map.end()?;
    Ok(String::from_utf8(bytes).expect("JSON is UTF-8"))
}

/// Names of ours, which a field of an event may not take.
const OWN: [&str; 6] = ["timestamp", "level", "role", "slot", "pid", "target"];

/// The fields of an event, in its order.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        let name = field.name();
        let name = if OWN.contains(&name) { format!("field_{name}") } else { name.to_owned() };
        self.0.push((name, value.into()));
    }

    fn add_if_new(&mut self, name: &str, value: Value) {
        if self.0.iter().all(|(there, _)| there != name) {
            self.0.push((name.to_owned(), value));
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let place = self.0.iter().position(|(there, _)| there == name)?;
        Some(self.0.remove(place).1)
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_its_own_fields_and_those_of_what_it_is_about() {
        let written = Written::default();
        let writer = written.clone();
        let identity = Identity { role: "worker", slot: Some(2) };
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone());
        let subscriber = subscriber.fmt_fields(JsonFields::new()).event_format(JsonLine(identity)).finish();
        tracing::subscriber::with_default(subscriber, || {
            let job = tracing::error_span!("job", job_id = "j", attempt = 1, transaction_id = tracing::field::Empty);
            job.record("transaction_id", "t");
            let _entered = job.enter();
            tracing::warn!(attempt = 2, slot = 7, is_last = true, "say \"{}\"", "it");
        });
        let bytes = written.0.lock().unwrap().clone();
        let mut line: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(line["timestamp"].take().as_str().unwrap().ends_with('Z'));
        assert_eq!(line["pid"].take(), std::process::id());
        let expected = json!({
            "timestamp": null, "pid": null, "level": "WARN", "role": "worker", "slot": 2, "target": module_path!(),
            "message": "say \"it\"", "attempt": 2, "field_slot": 7, "is_last": true, "job_id": "j", "transaction_id": "t"
        });
        assert_eq!(line, expected);
        assert!(bytes.starts_with(b"{\"timestamp\":"), "what comes first is easiest to read");
    }
}
