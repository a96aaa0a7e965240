//! The payload that a client is shown of an event.

use chrono::SecondsFormat;
use domain::events::log::LoggedEvent;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// What is made of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    /// `{"id", "type", "at", "data"}`; the facts are passed on as they came.
    Envelope,
    /// The facts themselves, and `event_id` beside them.
    Flat,
    /// JSON in which each text that begins with `$` stands for a part of the event.
    Template(Value),
}

impl Shape {
    /// `"envelope"` (also without any), `"flat"`, or a template.
    pub(super) fn of(written: Option<Value>) -> Result<Shape, String> {
        match written {
            None => Ok(Shape::Envelope),
            Some(Value::String(name)) if name == "envelope" => Ok(Shape::Envelope),
            Some(Value::String(name)) if name == "flat" => Ok(Shape::Flat),
            Some(template @ Value::Object(_)) => check(&template).map(|()| Shape::Template(template)),
            Some(other) => Err(format!("a payload is \"envelope\", \"flat\" or an object, and not {other}")),
        }
    }

    /// The payload, as JSON.
    pub(super) fn render(&self, event: &LoggedEvent) -> Box<RawValue> {
        let rendered = match self {
            Shape::Envelope => to_raw_value(&Envelope::of(event)),
            Shape::Flat => to_raw_value(&flat(event)),
            Shape::Template(template) => to_raw_value(&filled(template, &facts(event), event)),
        };
        rendered.expect("strings and JSON are JSON")
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    id: String,
    r#type: &'a str,
    at: String,
    data: &'a RawValue,
}

impl Envelope<'_> {
    fn of(event: &LoggedEvent) -> Envelope<'_> {
        let data = serde_json::from_str(&event.payload).expect("the log keeps JSON");
        Envelope { id: event.position.to_string(), r#type: &event.kind, at: at(event), data }
    }
}

fn at(event: &LoggedEvent) -> String {
    event.at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn facts(event: &LoggedEvent) -> Value {
    serde_json::from_str(&event.payload).unwrap_or_default()
}

fn flat(event: &LoggedEvent) -> Map<String, Value> {
    let mut fields = match facts(event) {
        Value::Object(fields) => fields,
        other => Map::from_iter([("data".to_owned(), other)]),
    };
    fields.insert("event_id".to_owned(), event.position.to_string().into());
    fields
}

/// Refuses a template that names what no event has.
fn check(template: &Value) -> Result<(), String> {
    match template {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) if !is_part(name) => {
                Err(format!("${name} is no part of an event; there are $id, $type, $at, $data and $data.<field>"))
            }
            _ => Ok(()),
        },
        Value::Array(items) => items.iter().try_for_each(check),
        Value::Object(fields) => fields.values().try_for_each(check),
        _ => Ok(()),
    }
}

fn is_part(name: &str) -> bool {
    matches!(name, "id" | "type" | "at" | "data") || name.starts_with("data.") || name.starts_with('$')
}

fn filled(template: &Value, facts: &Value, event: &LoggedEvent) -> Value {
    match template {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => part(name, facts, event),
            None => template.clone(),
        },
        Value::Array(items) => items.iter().map(|item| filled(item, facts, event)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), filled(value, facts, event))).collect()
        }
        _ => template.clone(),
    }
}

/// What `$name` stands for; null where these facts lack it.
fn part(name: &str, facts: &Value, event: &LoggedEvent) -> Value {
    match name {
        "id" => event.position.to_string().into(),
        "type" => event.kind.as_str().into(),
        "at" => at(event).into(),
        "data" => facts.clone(),
        _ => match name.strip_prefix("data.") {
            Some(path) => path.split('.').try_fold(facts, |value, field| value.get(field)).cloned().unwrap_or_default(),
            // `$$` is a text that begins with one.
            None => name.into(),
        },
    }
}
