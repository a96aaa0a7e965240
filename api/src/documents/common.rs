//! What holds for all operations alike: headers of every answer, scopes, conditional reading, an example of each problem.

use serde_json::{Map, Value, json};

use super::upgrade::entries;
use crate::edge::retired;

/// Says it of each operation, by reference to what the components say once.
pub(super) fn add(document: &mut Value) {
    let mut examples = Map::new();
    for (path, operations) in entries(&mut document["paths"]) {
        for (_, operation) in entries(operations) {
            security(operation);
            if operation["operationId"].as_str().and_then(retired::find).is_some() {
                operation["deprecated"] = true.into();
            }
            conditional(operation);
            for (status, response) in entries(&mut operation["responses"]) {
                headers(status, response);
                problems(path, status, response, &mut examples);
            }
        }
    }
    let components = &mut document["components"];
    components["examples"] = examples.into();
    components["headers"] = headers_of_all();
    components["parameters"] = json!({ "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The `ETag` of the resource as you have it: if it has not changed, the answer is 304 without it.",
        "schema": { "type": "string" },
    } });
}

/// Whether an operation wants a token, and for which scopes.
fn security(operation: &mut Value) {
    let Some(schemes) = operation["security"].as_array() else {
        operation["security"] = json!([]);
        return;
    };
    let scopes =
        schemes.iter().filter_map(Value::as_object).flat_map(Map::values).filter_map(Value::as_array).flatten();
    let scopes: Vec<String> = scopes.filter_map(Value::as_str).map(|scope| format!("`{scope}`")).collect();
    let takes = format!("Takes the scope {}.", scopes.join(" and "));
    let description = match operation["description"].as_str() {
        Some(text) => format!("{text}\n\n{takes}"),
        None => takes,
    };
    operation["description"] = description.into();
}

/// What may be answered with 304 may be asked for with `If-None-Match`.
fn conditional(operation: &mut Value) {
    if operation["responses"].get("304").is_none() {
        return;
    }
    let reference = json!({ "$ref": "#/components/parameters/IfNoneMatch" });
    match operation["parameters"].as_array_mut() {
        Some(parameters) => parameters.push(reference),
        None => operation["parameters"] = json!([reference]),
    }
}

fn headers(status: &str, response: &mut Value) {
    let headers = &mut response["headers"];
    if headers.is_null() {
        *headers = json!({});
    }
    let mut refer = |name: &str| headers[name] = json!({ "$ref": format!("#/components/headers/{name}") });
    ["X-Request-Id", "RateLimit", "RateLimit-Policy"].into_iter().for_each(&mut refer);
    match status {
        "401" => refer("WWW-Authenticate"),
        "429" | "503" => refer("Retry-After"),
        _ => {}
    }
}

fn headers_of_all() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "X-Request-Id": {
            "description": "The id of the request: the caller's own, if it sent a plain one of at most 128 characters, or one of ours.",
            "required": true,
            "schema": text,
        },
        "RateLimit": {
            "description": "What is left of each limit that the request was counted against: `r` requests, all of them again in `t` seconds.",
            "schema": text,
            "example": "\"default\";r=5999;t=1",
        },
        "RateLimit-Policy": {
            "description": "These limits: `q` requests in `w` seconds. Absent for callers without limits.",
            "schema": text,
            "example": "\"default\";q=6000;w=60",
        },
        "Retry-After": {
            "description": "Seconds after which to try again.",
            "required": true,
            "schema": { "type": "integer", "minimum": 0 },
        },
        "WWW-Authenticate": { "description": "The scheme to authenticate with.", "required": true, "schema": text },
    })
}

/// An example of each problem that the description of an answer names, in lines of `code`: when.
fn problems(path: &str, status: &str, response: &mut Value, all: &mut Map<String, Value>) {
    let Some(description) = response["description"].as_str().map(str::to_owned) else { return };
    let Some(content) = response.pointer_mut("/content/application~1problem+json") else { return };
    let mut examples = Map::new();
    for (code, when) in description.split("\n\n").filter_map(|line| line.strip_prefix('`')?.split_once("`: ")) {
        let name = format!("{code}_{status}");
        let reference = json!({ "$ref": format!("#/components/examples/{name}") });
        examples.insert(code.to_owned(), reference);
        all.entry(name).or_insert_with(|| problem(path, code, status, when));
    }
    if !examples.is_empty() {
        content["examples"] = examples.into();
    }
}

fn problem(path: &str, code: &str, status: &str, when: &str) -> Value {
    let mut value = json!({
        "type": format!("urn:bitnexus:problem:{code}"),
        "title": crate::problem::title(code),
        "status": status.parse::<u16>().unwrap_or_default(),
        "detail": when,
        "instance": path.replace("{id}", "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00"),
        "code": code,
        "request_id": "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a01",
    });
    if code == "validation_failed" {
        value["errors"] = json!([{ "pointer": "/name", "code": "required", "detail": "This is needed." }]);
    }
    json!({ "summary": when, "value": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_named_problem_has_an_example() {
        let mut response = json!({
            "description": "`email_taken`: Another has it.\n\n`busy`: Later.",
            "content": { "application/problem+json": {} },
        });
        let mut all = Map::new();
        problems("/users", "409", &mut response, &mut all);
        let reference = &response["content"]["application/problem+json"]["examples"]["email_taken"]["$ref"];
        assert_eq!(reference, "#/components/examples/email_taken_409");
        assert_eq!(all["busy_409"]["value"]["status"], 409);
    }

    #[test]
    fn what_can_be_unchanged_can_be_asked_for_so() {
        let mut read = json!({ "responses": { "200": {}, "304": {} } });
        conditional(&mut read);
        assert_eq!(read["parameters"][0]["$ref"], "#/components/parameters/IfNoneMatch");
        let mut list = json!({ "responses": { "200": {} } });
        conditional(&mut list);
        assert!(list.get("parameters").is_none());
    }
}
