//! The tree of categories, its rules, and what they make of products.

use reqwest::Method;
use serde_json::{Value, json};

use super::kit::{PRODUCTS, ask, create, patch, patch_plain, path, work};
use crate::api::harness::{Answer, Api, Caller};

const CATEGORIES: &str = "/api/v1/categories";
const RULES: &str = "/api/v1/category-rules";

async fn add(caller: &Caller, path: &str, body: Value) -> Value {
    let created = caller.post(path, &body).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(caller.get(created.header("location").unwrap()).await.json(), created.json());
    created.json()
}

async fn delete(caller: &Caller, path: &str) -> Answer {
    caller.send(Method::DELETE, path, &[], Vec::new()).await
}

fn of(path: &str, thing: &Value) -> String {
    format!("{path}/{}", thing["id"])
}

fn refused(answer: &Answer) -> (u16, String) {
    (answer.refusal().0, answer.refusal().1)
}

#[tokio::test]
async fn categories_are_a_tree_and_stay_one() {
    let api = Api::start().await;
    let (_, user) = api.customer().await;
    let staff = api.operator().await;
    let first = staff.post_once(CATEGORIES, "key", &json!({ "name": "Decoration" })).await;
    let again = staff.post_once(CATEGORIES, "key", &json!({ "name": "Decoration" })).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (first.json(), Some("true")));
    assert_eq!(again.header("location"), first.header("location"));
    let top = first.json();
    assert_eq!((&top["name"], &top["parent_id"]), (&json!("decoration"), &Value::Null));
    let below = add(&staff, CATEGORIES, json!({ "name": "wreaths", "parent_id": top["id"] })).await;
    let listed = user.get(CATEGORIES).await.json();
    assert_eq!((&listed["has_more"], listed["items"].as_array().unwrap().len()), (&json!(false), 11));

    let ring = patch_plain(&staff, &of(CATEGORIES, &top), &json!({ "parent_id": below["id"] })).await;
    assert_eq!(refused(&ring), (409, "category_cycle".to_owned()));
    let taken = patch_plain(&staff, &of(CATEGORIES, &top), &json!({ "name": "Wreaths" })).await;
    assert_eq!(refused(&taken), (409, "name_taken".to_owned()));
    let taken = staff.post(CATEGORIES, &json!({ "name": "WREATHS" })).await;
    assert_eq!(refused(&taken), (409, "name_taken".to_owned()));
    let orphan = staff.post(CATEGORIES, &json!({ "name": "x", "parent_id": 9_999 })).await;
    assert_eq!(orphan.refusal().2, ["/parent_id unknown_category"]);
    assert_eq!(refused(&delete(&staff, &of(CATEGORIES, &top)).await), (409, "category_in_use".to_owned()));
    let moved = patch_plain(&staff, &of(CATEGORIES, &below), &json!({ "parent_id": null, "name": "Garlands" })).await;
    assert_eq!(moved.json(), json!({ "id": below["id"], "name": "garlands", "parent_id": null }));
    assert_eq!(delete(&staff, &of(CATEGORIES, &top)).await.status, 204);
    assert_eq!(delete(&staff, &of(CATEGORIES, &top)).await.refusal().0, 404);
    assert_eq!(user.get(&of(CATEGORIES, &top)).await.refusal().0, 404);
    assert_eq!(user.post(CATEGORIES, &json!({ "name": "mine" })).await.refusal().0, 403);
    assert_eq!(delete(&user, &of(CATEGORIES, &below)).await.refusal().0, 403);
}

#[tokio::test]
async fn rules_are_kept_by_staff() {
    let api = Api::start().await;
    let (_, user) = api.customer().await;
    let taken = api.admin.post(RULES, &json!({ "rank": 1, "keyword": "lantern", "category_id": 1 })).await;
    assert_eq!(refused(&taken), (409, "keyword_taken".to_owned()));
    let unknown = api.admin.post(RULES, &json!({ "rank": 1, "keyword": "xyz", "category_id": 9_999 })).await;
    assert_eq!(unknown.refusal().2, ["/category_id unknown_category"]);
    let rule = add(&api.admin, RULES, json!({ "rank": 1, "keyword": "night li", "category_id": 1 })).await;
    assert_eq!((&rule["keyword"], &user.get(RULES).await.json()["items"][0]), (&json!("NIGHT LI"), &rule));
    let changed = patch_plain(&api.admin, &of(RULES, &rule), &json!({ "rank": 99, "keyword": "night" })).await;
    assert_eq!((&changed.json()["rank"], &changed.json()["keyword"]), (&json!(99), &json!("NIGHT")));
    let new = json!({ "rank": 1, "keyword": "xx", "category_id": 1 });
    assert_eq!(user.post(RULES, &new).await.refusal().0, 403);
    assert_eq!(delete(&api.admin, &of(RULES, &rule)).await.status, 204);
    assert_eq!(delete(&api.admin, &of(RULES, &rule)).await.refusal().0, 404);
}

/// The category of a product, and who said so.
async fn category(caller: &Caller, product: &Value) -> [String; 2] {
    let product = caller.get(&path(product)).await.json();
    ["category", "category_by"].map(|field| product[field].as_str().unwrap_or("none").to_owned())
}

#[tokio::test]
async fn categorize_product_by_rules_unless_a_person_said_what_it_is() {
    let api = Api::start().await;
    let ((_, caller), (_, other)) = (api.customer().await, api.customer().await);
    let lamp = create(&caller, "1", "White lantern", "1").await;
    work(&api).await;
    assert_eq!(category(&caller, &lamp).await, ["lighting", "rule"]);
    let deco = add(&api.admin, CATEGORIES, json!({ "name": "deco" })).await;
    let rule = json!({ "rank": 1, "keyword": "white lan", "category_id": deco["id"] });
    let rule = add(&api.admin, RULES, rule).await;

    let one = format!("{}/categorize", path(&lamp));
    assert_eq!(ask(&other, &one).await.refusal().0, 404);
    assert_eq!(ask(&caller, &one).await.status, 202);
    work(&api).await;
    assert_eq!(category(&caller, &lamp).await, ["deco", "rule"]);

    let by_hand = patch(&caller, &path(&lamp), &json!({ "category_id": 1 })).await;
    assert_eq!((&by_hand.json()["category_id"], &by_hand.json()["category_by"]), (&json!(1), &json!("hand")));
    let bulb = create(&caller, "2", "White lantern too", "1").await;
    let all = format!("{PRODUCTS}/categorize");
    assert_eq!(ask(&caller, &all).await.refusal().0, 403);
    assert_eq!(ask(&api.admin, &all).await.status, 202);
    work(&api).await;
    assert_eq!(category(&caller, &lamp).await[1], "hand", "no rule overrules a person");
    assert_eq!(category(&caller, &bulb).await, ["deco", "rule"]);
    let listed = async |id: &Value| caller.get(&format!("{PRODUCTS}?category_id={id}")).await.json();
    assert_eq!(listed(&deco["id"]).await["items"].as_array().unwrap().len(), 1);
    patch_plain(&api.admin, &of(CATEGORIES, &deco), &json!({ "parent_id": 1 })).await;
    assert_eq!(listed(&json!(1)).await["items"].as_array().unwrap().len(), 2, "with what is below");

    assert_eq!(delete(&api.admin, &of(RULES, &rule)).await.status, 204);
    let in_use = delete(&api.admin, &of(CATEGORIES, &deco)).await;
    assert_eq!(refused(&in_use), (409, "category_in_use".to_owned()), "a product is in it");
    let back = patch(&caller, &path(&lamp), &json!({ "category_id": null })).await;
    assert_eq!((&back.json()["category"], &back.json()["category_by"]), (&Value::Null, &Value::Null));
    ask(&api.admin, &all).await;
    work(&api).await;
    assert_eq!(category(&caller, &lamp).await, ["lighting", "rule"], "the rules decide again");
    assert_eq!(delete(&api.admin, &of(CATEGORIES, &deco)).await.status, 204);
}
