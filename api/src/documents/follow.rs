//! Links: from what an operation answers with to the operation that reads it again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::upgrade::entries;

/// The operation that follows a job.
const JOB: &str = "/api/v1/jobs/{id}";

/// Where else what was made can be read: by which path, at which place of its answer the id stands, where, and what for.
const ELSEWHERE: [(&str, &str, &str, &str); 2] = [
    ("/api/v1/transactions", "id", "/api/v1/ledger/receipts/{id}", "Proves it, once it is signed."),
    ("/api/v1/users", "wallets/0/account_id", "/api/v1/accounts/{id}", "Reads its first wallet."),
];

/// Adds to each answer that makes something (201, 202) a link to where it is read, found by the path and the fields of the answer.
pub(super) fn add(document: &mut Value) {
    let readers: BTreeMap<String, String> = readers(&document["paths"]);
    let schemas = document["components"]["schemas"].clone();
    for (path, operations) in entries(&mut document["paths"]) {
        for (_, operation) in entries(operations) {
            for (_, response) in
                entries(&mut operation["responses"]).filter(|(status, _)| matches!(status.as_str(), "201" | "202"))
            {
                let links = links(path, &schemas, response, &readers);
                if !links.is_empty() {
                    response["links"] = links.into();
                }
            }
        }
    }
}

/// The id of the operation that reads each path.
fn readers(paths: &Value) -> BTreeMap<String, String> {
    let paths = paths.as_object().into_iter().flatten();
    paths
        .filter_map(|(path, operations)| Some((path.clone(), operations["get"]["operationId"].as_str()?.to_owned())))
        .collect()
}

fn links(path: &str, schemas: &Value, response: &Value, readers: &BTreeMap<String, String>) -> Map<String, Value> {
    let name =
        response["content"]["application/json"]["schema"]["$ref"].as_str().and_then(|name| name.rsplit('/').next());
    let fields = name.and_then(|name| schemas[name]["properties"].as_object());
    let has = |field: &str| fields.is_some_and(|fields| fields.contains_key(field));
    let own = [("id", format!("{path}/{{id}}"), "Reads it again."), ("job_id", JOB.to_owned(), "Follows its job.")];
    let elsewhere = ELSEWHERE.iter().filter(|(made_at, ..)| *made_at == path);
    let elsewhere = elsewhere.map(|(_, place, target, what_for)| (*place, (*target).to_owned(), *what_for));
    let mut links = Map::new();
    for (place, target, description) in own.into_iter().chain(elsewhere) {
        let field = place.split('/').next().unwrap_or(place);
        if let Some(operation) = readers.get(&target).filter(|_| has(field)) {
            let parameters = json!({ "id": format!("$response.body#/{place}") });
            let link = json!({ "operationId": operation, "parameters": parameters, "description": description });
            links.insert(operation.clone(), link);
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_leads_to_where_it_is_read() {
        let schema = json!({ "schema": { "$ref": "#/components/schemas/Thing" } });
        let mut document = json!({
            "paths": {
                "/things": { "post": { "responses": { "201": { "content": { "application/json": schema } } } } },
                "/things/{id}": { "get": { "operationId": "getThing", "responses": {} } },
            },
            "components": { "schemas": { "Thing": { "properties": { "id": {} } } } },
        });
        add(&mut document);
        let link = &document["paths"]["/things"]["post"]["responses"]["201"]["links"]["getThing"];
        assert_eq!(link["parameters"]["id"], "$response.body#/id");
    }
}
