//! An example of each answer, made of its schema: it cannot disagree with it.

use serde_json::{Map, Value, json};

use super::upgrade::entries;

/// Deeper than anything that is answered.
const DEPTH_MAX: usize = 12;

const ID: &str = "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00";
const TIME: &str = "2026-01-31T09:30:00Z";

/// Adds one to every schema of an object that has none.
pub(super) fn add(schemas: &mut Value) {
    let all = schemas.clone();
    for (_, schema) in entries(schemas) {
        if schema["properties"].is_object() && schema.get("examples").is_none() {
            schema["examples"] = json!([sample(&all, schema, "", 0)]);
        }
    }
}

/// A value of the schema; `field` is what it is called where it stands.
fn sample(all: &Value, schema: &Value, field: &str, depth: usize) -> Value {
    if let Some(example) = schema["examples"].get(0).or_else(|| schema.get("example")) {
        return example.clone();
    }
    let reference = schema["$ref"].as_str().or_else(|| schema["anyOf"][0]["$ref"].as_str());
    if let Some(name) = reference.and_then(|name| name.rsplit('/').next()) {
        return if depth > DEPTH_MAX { Value::Null } else { sample(all, &all[name], field, depth + 1) };
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match kind {
        "string" => text(schema, field).into(),
        "integer" | "number" => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        "boolean" => false.into(),
        "array" if depth > DEPTH_MAX => json!([]),
        "array" => json!([sample(all, &schema["items"], field, depth + 1)]),
        _ => object(all, schema, depth),
    }
}

fn object(all: &Value, schema: &Value, depth: usize) -> Value {
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(name, schema)| (name.clone(), sample(all, schema, name, depth + 1)));
    fields.collect::<Map<String, Value>>().into()
}

/// A string as one would stand there.
fn text(schema: &Value, field: &str) -> String {
    let text = match schema["format"].as_str().unwrap_or_default() {
        "uuid" => ID,
        "date-time" => TIME,
        "date" => "2026-01-31",
        _ => match field {
            "amount" => "12.50",
            "currency" | "currencies" => "GBP",
            "email" => "ada@example.org",
            "name" => "Ada Lovelace",
            "sku" => "cup-17",
            "request_id" => ID,
            "code" => "validation_failed",
            "type" => "urn:bitnexus:problem:validation_failed",
            "instance" => "/api/v1/transactions",
            "token" => "bns_…",
            _ if field.ends_with("_hash") => "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
            _ => "text",
        },
    };
    let length_max = schema["maxLength"].as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
    text.chars().take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_has_every_field_and_is_of_its_schema() {
        let mut schemas = json!({
            "Page": { "type": "object", "properties": { "items": { "type": "array", "items": { "$ref": "#/components/schemas/Thing" } } } },
            "Thing": { "type": "object", "properties": {
                "id": { "type": "string", "format": "uuid" },
                "state": { "type": ["string", "null"], "enum": ["open", null] },
                "again": { "anyOf": [{ "$ref": "#/components/schemas/Small" }, { "type": "null" }] },
            } },
            "Small": { "type": "object", "properties": { "size": { "type": "integer", "minimum": 5 } } },
        });
        add(&mut schemas);
        let thing = json!({ "id": ID, "state": "open", "again": { "size": 5 } });
        assert_eq!(schemas["Page"]["examples"][0], json!({ "items": [thing] }));
    }
}
