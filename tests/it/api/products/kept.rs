//! Products are created, read, listed and changed.

use futures::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;

use super::kit::{PRODUCTS, create, each, patch, patch_if, patch_plain, path, pounds};
use crate::api::harness::{Api, Caller};

#[tokio::test]
async fn create_product_and_get_product() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let lamp = create(&caller, "85123A", "White lamp", "2.5").await;
    assert_eq!(lamp["owner_id"], json!(ada.principal.user_id.0));
    assert_eq!((&lamp["price"], &lamp["status"]), (&pounds("2.50"), &json!("active")));
    assert_eq!((&lamp["category"], &lamp["category_by"]), (&Value::Null, &Value::Null));
    let again = json!({ "sku": "85123A", "name": "Another", "price": pounds("1") });
    let taken = caller.post(PRODUCTS, &again).await;
    assert_eq!((taken.refusal().0, taken.refusal().1.as_str()), (409, "sku_taken"));
    assert_eq!(taken.json()["existing_id"], lamp["id"]);
    create(&other, "85123A", "The same code of somebody else", "1").await;

    let found = other.get(&path(&lamp)).await;
    assert_eq!((found.status.as_u16(), &found.json()["name"]), (200, &json!("White lamp")), "as in a shop");
    let tag = found.header("etag").unwrap();
    let known = other.send(reqwest::Method::GET, &path(&lamp), &[("if-none-match", tag)], Vec::new()).await;
    assert_eq!(known.status, 304);
    assert_eq!(other.get(&format!("{PRODUCTS}/{}", Uuid::now_v7())).await.refusal().0, 404);
}

/// Reads a list page by page.
async fn pages(caller: &Caller, query: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let page = caller.get(&format!("{PRODUCTS}?limit=2&{query}{after}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        names.extend(each(&page, "name"));
        let Some(cursor) = page["next_cursor"].as_str() else { return names };
        after = format!("&after={cursor}");
    }
}

#[tokio::test]
async fn list_products_by_every_filter_and_order() {
    let api = Api::start().await;
    let ((_, caller), (_, other)) = (api.customer().await, api.customer().await);
    for (sku, name, price) in [("a", "A", "3"), ("b", "B", "1"), ("c", "C", "2"), ("d", "D", "2"), ("e", "E", "9")] {
        create(&caller, sku, name, price).await;
    }
    let euros = json!({ "sku": "f", "name": "F", "price": { "amount": "2", "currency": "EUR" } });
    assert_eq!(other.post(PRODUCTS, &euros).await.status, 201);
    for (query, expected) in [
        ("sort=oldest", "ABCDEF"),
        ("sort=newest", "FEDCBA"),
        // Pounds, if nobody says.
        ("sort=price", "BCDAE"),
        ("sort=price_desc", "EADCB"),
        ("sort=price&currency=EUR", "F"),
        ("price_min=2.00&price_max=3", "ACD"),
        ("currency=EUR", "F"),
        ("sku=c", "C"),
        ("created_before=2020-01-01T00:00:00Z", ""),
        ("created_from=2020-01-01T00:00:00Z&sort=newest", "FEDCBA"),
        ("category_id=3", ""),
    ] {
        assert_eq!(pages(&caller, query).await.concat(), expected, "{query}");
    }
    let page = caller.get(&format!("{PRODUCTS}?limit=2")).await;
    let cursor = page.json()["next_cursor"].as_str().unwrap().to_owned();
    assert!(page.header("link").unwrap().contains(&format!("after={cursor}")));
    let other_order = caller.get(&format!("{PRODUCTS}?sort=price&after={cursor}")).await;
    assert_eq!(other_order.refusal().2, ["after invalid_cursor"]);
    let wrong = caller.get(&format!("{PRODUCTS}?price_min=1.234")).await;
    assert_eq!(wrong.refusal().2, ["price_min malformed_amount"]);
    assert_eq!(caller.get(&format!("{PRODUCTS}?status=sold")).await.refusal().0, 422);
}

#[tokio::test]
async fn list_products_by_user() {
    let api = Api::start().await;
    let ((ada, hers), (bob, his)) = (api.customer().await, api.customer().await);
    create(&hers, "1", "Hers", "1").await;
    create(&his, "1", "His", "1").await;
    create(&hers, "2", "Hers too", "1").await;
    for (owner, expected) in [
        (ada.principal.user_id.0, vec!["Hers", "Hers too"]),
        (bob.principal.user_id.0, vec!["His"]),
        (Uuid::now_v7(), vec![]),
    ] {
        assert_eq!(each(&his.get(&format!("{PRODUCTS}?owner_id={owner}")).await.json(), "name"), expected);
    }
}

#[tokio::test]
async fn update_product_changes_what_was_read_and_nothing_else() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let path = path(&create(&caller, "1", "Lamp", "2").await);
    let change = json!({ "name": "White lamp", "description": "It is white.", "price": pounds("2.25"), "sku": "1A" });
    let changed = patch(&caller, &path, &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let now = changed.json();
    assert_eq!((&now["name"], &now["description"]), (&json!("White lamp"), &json!("It is white.")));
    assert_eq!((&now["price"], &now["sku"]), (&pounds("2.25"), &json!("1A")));
    let read = caller.get(&path).await;
    assert_eq!((read.header("etag"), read.json()), (changed.header("etag"), now));
    let cleared = patch(&caller, &path, &json!({ "description": null, "name": null })).await.json();
    assert_eq!((&cleared["description"], &cleared["name"]), (&Value::Null, &json!("White lamp")));
    assert_eq!(patch_plain(&caller, &path, &change).await.refusal().0, 428);
    let stale = patch_if(&caller, &path, changed.header("etag").unwrap(), &change).await;
    assert_eq!((stale.refusal().0, stale.refusal().1.as_str()), (412, "precondition_failed"));
}

#[tokio::test]
async fn update_product_refuses_what_is_wrong_and_what_is_not_the_callers() {
    let api = Api::start().await;
    let ((_, caller), (_, other)) = (api.customer().await, api.customer().await);
    let lamp = create(&caller, "1", "Lamp", "2").await;
    create(&caller, "2", "Bulb", "1").await;
    let path = path(&lamp);
    let taken = patch(&caller, &path, &json!({ "sku": "2" })).await;
    assert_eq!((taken.refusal().0, taken.refusal().1.as_str()), (409, "sku_taken"));
    for (change, expected) in [
        (json!({ "category_id": 9_999 }), vec!["/category_id unknown_category"]),
        (json!({ "stock": 1 }), vec!["/stock unknown_field"]),
        (json!({ "price": pounds("0"), "name": " " }), vec!["/name blank", "/price/amount positive"]),
        (json!({ "status": "sold" }), vec!["/status unknown_value"]),
    ] {
        assert_eq!(patch(&caller, &path, &change).await.refusal().2, expected, "{change}");
    }
    assert_eq!(patch(&other, &path, &json!({ "name": "Mine" })).await.refusal().0, 404, "somebody else's");
    let by_staff = patch(&api.operator().await, &path, &json!({ "name": "Seen to" })).await;
    assert_eq!(by_staff.status, 200, "{}", by_staff.text);
    let audited = "select detail from app.audit where action = 'product.update' and target = $1";
    let audited = sqlx::query_scalar(audited).bind(lamp["id"].as_str().unwrap()).fetch_all(&api.pool);
    let audited: Vec<Value> = audited.await.unwrap();
    assert_eq!(audited, [json!({ "fields": ["name"] })]);
}

#[tokio::test]
async fn of_two_changes_to_one_state_one_wins() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let path = path(&create(&caller, "1", "Lamp", "2").await);
    let tag = caller.get(&path).await.header("etag").unwrap().to_owned();
    let changes: Vec<Value> = (0..8).map(|n| json!({ "name": format!("Lamp {n}") })).collect();
    let answers = join_all(changes.iter().map(|change| patch_if(&caller, &path, &tag, change))).await;
    let count = |status| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(412)), (1, 7));
}

#[tokio::test]
async fn an_archived_product_is_shown_to_who_asks_for_it() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    let lamp = create(&caller, "1", "Lamp", "2").await;
    create(&caller, "2", "Lamp shade", "1").await;
    let archived = patch(&caller, &path(&lamp), &json!({ "status": "archived" })).await;
    assert_eq!(archived.json()["status"], "archived", "{}", archived.text);
    assert_eq!(caller.get(&path(&lamp)).await.json()["status"], "archived", "it is still there");
    for start in [PRODUCTS.to_owned() + "?", format!("{PRODUCTS}/search?q=lamp&")] {
        for (status, expected) in [("", vec!["Lamp shade"]), ("status=archived", vec!["Lamp"])] {
            assert_eq!(each(&caller.get(&format!("{start}{status}")).await.json(), "name"), expected, "{start}");
        }
        assert_eq!(each(&caller.get(&format!("{start}status=any")).await.json(), "name").len(), 2, "{start}");
    }
    patch(&caller, &path(&lamp), &json!({ "status": "active" })).await;
    assert_eq!(each(&caller.get(PRODUCTS).await.json(), "name"), ["Lamp", "Lamp shade"]);
}
