//! What the API says about itself is a contract: a drift fails.

use serde_json::Value;

use super::harness::Api;

#[tokio::test]
async fn the_document_is_as_it_was() {
    let api = Api::start().await;
    let answer = api.nobody().get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    insta::assert_snapshot!("openapi", answer.text);
}

#[tokio::test]
async fn every_operation_is_documented_in_full() {
    let api = Api::start().await;
    let document = api.nobody().get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.1");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(operation["operationId"].is_string() && operation["summary"].is_string(), "{name}");
            assert!(operation["tags"].is_array() && operation["security"].is_array(), "{name}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} {status}");
            }
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["$ref"].is_null()) {
                assert!(parameter["description"].is_string(), "{name} {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn the_command_prints_what_is_served() {
    let api = Api::start().await;
    assert_eq!(api::document(), api.nobody().get("/openapi.json").await.text);
}

#[tokio::test]
async fn what_can_be_followed_has_a_link_and_what_can_be_unchanged_can_be_asked_for_so() {
    let document: Value = serde_json::from_str(&api::document()).unwrap();
    let created = &document["paths"]["/api/v1/users"]["post"]["responses"]["201"]["links"];
    assert_eq!(created["getUser"]["parameters"]["id"], "$response.body#/id");
    assert_eq!(created["getJob"]["parameters"]["id"], "$response.body#/job_id");
    for (path, operations) in document["paths"].as_object().unwrap() {
        let read = &operations["get"];
        let parameters = read["parameters"].as_array().into_iter().flatten();
        let asks = parameters.clone().any(|parameter| parameter["$ref"] == "#/components/parameters/IfNoneMatch");
        assert_eq!(asks, read["responses"]["304"].is_object(), "{path}");
    }
}

#[tokio::test]
async fn every_scope_stands_in_the_description_of_its_operation_and_of_the_scheme() {
    let document: Value = serde_json::from_str(&api::document()).unwrap();
    let scheme = document["components"]["securitySchemes"]["bearer"]["description"].as_str().unwrap();
    for scope in domain::access::scope::Scope::ALL {
        assert!(scheme.contains(&format!("`{}`", scope.as_str())), "{} is not described", scope.as_str());
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for scope in operation["security"][0]["bearer"].as_array().into_iter().flatten() {
                let said = format!("`{}`", scope.as_str().unwrap());
                assert!(operation["description"].as_str().unwrap().contains(&said), "{method} {path} {said}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_a_body_is_taken_for_what_it_is() {
    let api = Api::start().await;
    let document = api.nobody().get("/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in ["post", "put", "patch"] {
            let content = &operations[method]["requestBody"]["content"]["application/json"];
            let Some(schema) = content["schema"]["$ref"].as_str() else { continue };
            let example: &Value = &document.pointer(&schema[1..]).unwrap()["examples"][0];
            assert!(example.is_object(), "{method} {path} has no example");
            // What it is about need not be there, but has to be named as it should: by a number or by a UUID.
            let id = if path.contains("categor") { "999" } else { "0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00" };
            let path = path.replace("{id}", id).replace("{name}", "mail").replace("{kind}", "mail.send");
            let headers = [("content-type", "application/json"), ("if-match", "*")];
            let verb = method.to_uppercase().parse().unwrap();
            let answer = api.admin.send(verb, &path, &headers, example.to_string().into_bytes()).await;
            assert!(!answer.text.contains("validation_failed"), "{method} {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_answer_in_json_has_an_example() {
    let document: Value = serde_json::from_str(&api::document()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas.iter().filter(|(_, schema)| schema["properties"].is_object()) {
        let example = schema["examples"][0].as_object().unwrap_or_else(|| panic!("{name} has no example"));
        let needed = schema["required"].as_array().into_iter().flatten();
        for field in needed.map(|field| field.as_str().unwrap()) {
            assert!(example.contains_key(field), "the example of {name} lacks {field}");
        }
    }
}

#[tokio::test]
async fn the_document_and_the_page_are_sent_compressed_and_once() {
    let api = Api::start().await;
    for path in ["/openapi.json", "/docs"] {
        let whole = api.nobody().get(path).await;
        let tag = whole.header("etag").unwrap();
        assert_eq!((whole.header("cache-control"), whole.header("vary")), (Some("no-cache"), Some("Accept-Encoding")));
        let again = api.nobody().send(reqwest::Method::GET, path, &[("if-none-match", tag)], Vec::new()).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
        let request =
            reqwest::Client::new().get(format!("http://{}{path}", api.address)).header("accept-encoding", "gzip");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], "gzip");
        let compressed = answer.bytes().await.unwrap();
        assert!(compressed.starts_with(&[0x1f, 0x8b]) && compressed.len() * 2 < whole.text.len(), "{path}");
    }
}

#[tokio::test]
async fn the_page_carries_the_document_and_needs_nothing_else() {
    let api = Api::start().await;
    let page = api.nobody().get("/docs").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text.contains("\"openapi\": \"3.1.1\"") && page.text.contains("createTransaction"));
    assert!(page.text.contains("data-configuration='{\"withDefaultFonts\":false,"), "the page has no settings");
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("connect-src 'self'")));
}

#[tokio::test]
async fn a_problem_looks_as_it_did() {
    let api = Api::start().await;
    let body = serde_json::json!({ "type": "gift", "amount": 5 });
    let answer = api
        .admin
        .send(
            reqwest::Method::POST,
            "/api/v1/transactions",
            &[("content-type", "application/json"), ("x-request-id", "snapshot")],
            body.to_string().into_bytes(),
        )
        .await;
    insta::assert_snapshot!("problem", answer.text);
}
