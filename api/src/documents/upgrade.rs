//! From what poem-openapi writes to valid OpenAPI 3.1.
//!
//! It writes 3.0 with some words of 3.1 in it, and has no way to say that an object is closed or that a field may be null. The walk here
//! says so once for all operations.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{common, follow, sample, webhooks};

/// The document as 3.1, pretty-printed.
pub(super) fn to_3_1(document: &str) -> String {
    let mut document: Value = serde_json::from_str(document).expect("poem-openapi writes JSON");
    document["openapi"] = "3.1.1".into();
    document["servers"] = json!([{ "url": "/" }]);
    if let Some(root) = document.as_object_mut() {
        root.remove("webhooks");
    }
    let closed = request_schemas(&document);
    schemas(&mut document["components"]["schemas"], &closed);
    name_rests(&mut document["paths"]);
    common::add(&mut document);
    follow::add(&mut document);
    walk(&mut document);
    sample::add(&mut document["components"]["schemas"]);
    webhooks::add(&mut document);
    serde_json::to_string_pretty(&document).expect("a JSON value can be written")
}

/// The members of an object; none of what is no object.
pub(super) fn entries(value: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    value.as_object_mut().into_iter().flat_map(Map::iter_mut)
}

/// A path that ends in `*name` takes the rest of the address, slashes too; the document calls that a parameter.
fn name_rests(paths: &mut Value) {
    let Some(paths) = paths.as_object_mut() else { return };
    for (path, mut operations) in std::mem::take(paths) {
        let Some((start, name)) = path.split_once("/*") else {
            paths.insert(path, operations);
            continue;
        };
        let description = "The rest of the path; its slashes are written as they are.";
        let schema = json!({ "type": "string", "pattern": rest_pattern(name) });
        let rest =
            json!({ "name": name, "in": "path", "required": true, "description": description, "schema": schema });
        for (_, operation) in entries(&mut operations) {
            operation["parameters"] = json!([rest]);
        }
        paths.insert(format!("{start}/{{{name}}}"), operations);
    }
}

/// What a rest of a path looks like: those there are are the paths of tiles (C2SP tlog-tiles).
fn rest_pattern(name: &str) -> String {
    let level = if name == "tile" { "([0-9]|[1-5][0-9]|6[0-3])/" } else { "" };
    let index = "(x([1-9][0-9]{2}|0[1-9][0-9]|00[1-9])/(x[0-9]{3}/){0,4})?[0-9]{3}";
    let width = r"(\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?";
    format!("^{level}{index}{width}$")
}

/// The names of the component schemas that requests are made of.
fn request_schemas(document: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in document["paths"].as_object().into_iter().flat_map(Map::values) {
        for operation in path.as_object().into_iter().flat_map(Map::values) {
            references(document, &operation["requestBody"], &mut found);
        }
    }
    found
}

fn references(document: &Value, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
            if let Some(name) = reference.filter(|name| found.insert((*name).to_owned())) {
                references(document, &document["components"]["schemas"][name], found);
            }
            members.values().for_each(|member| references(document, member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(document, item, found)),
        _ => {}
    }
}

/// Fields that need not be there may be null, and an object of a request is closed.
fn schemas(schemas: &mut Value, closed: &BTreeSet<String>) {
    for (name, schema) in entries(schemas) {
        let required: BTreeSet<String> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        if closed.contains(name) {
            schema["additionalProperties"] = false.into();
        }
        for (field, schema) in entries(&mut schema["properties"]) {
            join_reference(schema);
            if !required.contains(field) {
                allow_null(schema);
            }
        }
    }
}

/// 3.0 forbids words beside `$ref`, so poem wraps it in an `allOf` with the description; 3.1 allows them.
fn join_reference(schema: &mut Value) {
    let reference =
        schema["allOf"].as_array().and_then(|parts| parts.iter().find_map(|part| part.get("$ref"))).cloned();
    if let (Some(reference), Some(members)) = (reference, schema.as_object_mut()) {
        members.remove("allOf");
        members.insert("$ref".to_owned(), reference);
    }
}

fn allow_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    if let Some(reference) = members.remove("$ref") {
        members.insert("anyOf".to_owned(), json!([{ "$ref": reference }, { "type": "null" }]));
    } else if let Some(Value::String(kind)) = members.remove("type") {
        members.insert("type".to_owned(), json!([kind, "null"]));
        if let Some(Value::Array(words)) = members.get_mut("enum") {
            words.push(Value::Null);
        }
    }
}

/// Small differences, wherever they stand: `example`, bounds written as floats.
fn walk(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if members.contains_key("type") || members.contains_key("properties") {
                schema(members);
            }
            members.values_mut().for_each(walk);
        }
        Value::Array(items) => items.iter_mut().for_each(walk),
        _ => {}
    }
}

fn schema(members: &mut Map<String, Value>) {
    if let Some(example) = members.get("example").filter(|_| is_schema(members)).cloned() {
        members.remove("example");
        members.insert("examples".to_owned(), json!([example]));
    }
    for bound in ["minimum", "maximum"] {
        let whole = members.get(bound).and_then(Value::as_f64).filter(|bound| bound.fract() == 0.0);
        if let Some(whole) = whole {
            // Bounds of ours fit a 32-bit integer, see `Integer::schema`.
            members.insert(bound.to_owned(), json!(whole as i64));
        }
    }
}

/// A property may be called `type` or `example`; then what stands there is a schema and no word of one.
fn is_schema(members: &Map<String, Value>) -> bool {
    members.get("type").is_none_or(|kind| kind.is_string() || kind.is_array())
}
