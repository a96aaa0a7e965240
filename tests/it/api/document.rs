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
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{name} {parameter}");
            }
        }
    }
}

#[tokio::test]
async fn every_example_of_a_body_is_taken_for_what_it_is() {
    let api = Api::start().await;
    let document = api.nobody().get("/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(schema) = operations["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str()
        else {
            continue;
        };
        let schema = document.pointer(&schema[1..]).unwrap();
        let example: &Value = &schema["examples"][0];
        assert!(example.is_object(), "{path} has no example");
        // What it is about need not be there, but has to be named as it should.
        let path = path.replace("{id}", &uuid::Uuid::nil().to_string());
        let answer = api.admin.post(&path, example).await;
        assert!(!answer.text.contains("validation_failed"), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_page_carries_the_document_and_needs_nothing_else() {
    let api = Api::start().await;
    let page = api.nobody().get("/docs").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text.contains("\"openapi\": \"3.1.1\"") && page.text.contains("createTransaction"));
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
