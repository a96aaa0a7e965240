//! What the tests of products share.

use jobs::{PRODUCTS_QUEUE, State};
use ledger::keys::SigningKey;
use queue::testing::{Ran, drain};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::harness::{Answer, Api, Caller};

pub(super) const PRODUCTS: &str = "/api/v1/products";

/// So many pounds.
pub(super) fn pounds(amount: &str) -> Value {
    json!({ "amount": amount, "currency": "GBP" })
}

/// Creates a product; returns it.
pub(super) async fn create(caller: &Caller, sku: &str, name: &str, price: &str) -> Value {
    let created = caller.post(PRODUCTS, &json!({ "sku": sku, "name": name, "price": pounds(price) })).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

/// The path of a product.
pub(super) fn path(product: &Value) -> String {
    format!("{PRODUCTS}/{}", product["id"].as_str().unwrap())
}

/// A POST without a body.
pub(super) async fn ask(caller: &Caller, path: &str) -> Answer {
    caller.send(Method::POST, path, &[], Vec::new()).await
}

/// Changes what is there now.
pub(super) async fn patch(caller: &Caller, path: &str, change: &Value) -> Answer {
    let read = caller.get(path).await;
    patch_if(caller, path, read.header("etag").unwrap_or("\"none\""), change).await
}

/// Changes what has this tag.
pub(super) async fn patch_if(caller: &Caller, path: &str, tag: &str, change: &Value) -> Answer {
    let headers = [("content-type", "application/json"), ("if-match", tag)];
    caller.send(Method::PATCH, path, &headers, change.to_string().into_bytes()).await
}

/// A change without a tag.
pub(super) async fn patch_plain(caller: &Caller, path: &str, change: &Value) -> Answer {
    caller.send(Method::PATCH, path, &[("content-type", "application/json")], change.to_string().into_bytes()).await
}

/// A field of each item of a page.
pub(super) fn each(page: &Value, field: &str) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

/// The names that a search finds, best first.
pub(super) async fn names(caller: &Caller, query: &str) -> Vec<String> {
    let found = caller.get(&format!("{PRODUCTS}/search?{query}")).await;
    assert_eq!(found.status, 200, "{query}: {}", found.text);
    each(&found.json(), "name")
}

/// Runs the jobs on products that are waiting.
pub(super) async fn work(api: &Api) -> Vec<Ran> {
    let registry = jobs::registry(State::of_key(SigningKey::generate("test.example/main").unwrap()));
    drain(&api.pool, &registry, PRODUCTS_QUEUE).await
}
