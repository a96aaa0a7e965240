//! Purchases of products at their price.

use ledger::Currency;
use serde_json::{Value, json};

use super::kit::{Customer, Stage, TRANSACTIONS, finish, pounds, recorded, refused, with};

async fn lamp(seller: &Customer, price: Value) -> Value {
    let lamp = json!({ "sku": "lamp", "name": "Lamp", "price": price });
    seller.caller.post("/api/v1/products", &lamp).await.json()["id"].take()
}

#[tokio::test]
async fn a_product_is_bought_at_its_price() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let lamp = lamp(&bob, pounds("2.55")).await;
    let purchase = json!({ "type": "purchase", "from": ada.wallet, "product_id": lamp });
    let bought = recorded(&finish(&ada.caller, TRANSACTIONS, &with(purchase.clone(), "quantity", json!(3))).await);
    assert_eq!(
        (&bought["to"], &bought["amount"], &bought["quantity"]),
        (&json!(bob.wallet), &pounds("7.65"), &json!(3))
    );
    let expecting = with(purchase.clone(), "expected_price", pounds("2.55"));
    let one = recorded(&finish(&ada.caller, TRANSACTIONS, &expecting).await);
    assert_eq!((&one["amount"], &one["quantity"]), (&pounds("2.55"), &json!(1)));
    assert_eq!(stage.funds(bob.wallet).await.0, "10.20");

    let named = with(purchase.clone(), "reference", json!("order-1"));
    let first = recorded(&finish(&ada.caller, TRANSACTIONS, &named).await);
    let change = "update app.product set price = 300";
    sqlx::query(change).execute(&stage.api.pool).await.unwrap();
    let again = recorded(&finish(&ada.caller, TRANSACTIONS, &named).await);
    assert_eq!(again, first, "what is there stays, whatever became of the price");
    let found = ada.caller.get(&format!("{TRANSACTIONS}?product={}", lamp.as_str().unwrap())).await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn each_refusal_of_a_purchase_has_its_name() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let euro = stage.customer_in(Currency::EUR, 0).await;
    let (cheap, in_euros) =
        (lamp(&bob, pounds("2.55")).await, lamp(&bob, json!({ "amount": "1", "currency": "EUR" })).await);
    assert_eq!(in_euros, Value::Null, "one SKU for each owner");
    let foreign = lamp(&euro, pounds("1")).await;
    let dear = lamp(&ada, pounds("9999999999999999")).await;
    let archived = stage.customer(0).await;
    let gone = lamp(&archived, pounds("1")).await;
    sqlx::query("update app.product set status = 'archived' where id = $1::uuid")
        .bind(gone.as_str().unwrap())
        .execute(&stage.api.pool)
        .await
        .unwrap();
    let purchase = |product: &Value| json!({ "type": "purchase", "from": ada.wallet, "product_id": product });
    for (status, code, place, body) in [
        (409, "price_changed", "/expected_price", with(purchase(&cheap), "expected_price", pounds("2.54"))),
        (409, "price_changed", "/amount", with(purchase(&cheap), "amount", pounds("0.01"))),
        (422, "not_the_seller", "/to", with(purchase(&cheap), "to", json!(archived.wallet))),
        (409, "product_archived", "/product_id", purchase(&gone)),
        (422, "seller_has_no_account", "/product_id", purchase(&foreign)),
        (422, "same_account", "/from", purchase(&dear)),
        (422, "product_not_found", "/product_id", purchase(&json!("0197a4c2-7c1e-7d3a-9f57-1f6f6d1f2a00"))),
        (422, "validation_failed", "/quantity", with(purchase(&cheap), "quantity", json!(0))),
        (422, "validation_failed", "/quantity", with(purchase(&cheap), "quantity", json!(2_147_483_648_i64))),
    ] {
        let answer = finish(&ada.caller, TRANSACTIONS, &body).await;
        let (given, name, places) = refused(&answer);
        assert_eq!((given, name.as_str()), (status, code), "{body}");
        assert!(places[0].starts_with(&format!("{place} ")), "{places:?}");
    }
    let much = json!({ "type": "purchase", "from": bob.wallet, "product_id": dear, "quantity": 2 });
    assert_eq!(refused(&finish(&bob.caller, TRANSACTIONS, &much).await).1, "amount_out_of_range");
    // Staff say themselves what was paid: they bring in sales that were made elsewhere.
    let sale = with(with(purchase(&cheap), "amount", pounds("0.01")), "to", json!(bob.wallet));
    assert_eq!(recorded(&finish(&stage.api.admin, TRANSACTIONS, &sale).await)["amount"], pounds("0.01"));
}

#[tokio::test]
async fn a_purchase_may_be_held_and_posted_when_it_is_shipped() {
    let stage = Stage::start().await;
    let (ada, bob) = (stage.customer(100).await, stage.customer(0).await);
    let lamp = lamp(&bob, pounds("2.55")).await;
    let purchase = json!({ "type": "purchase", "from": ada.wallet, "product_id": lamp, "quantity": 2, "hold": {} });
    let hold = recorded(&finish(&ada.caller, TRANSACTIONS, &purchase).await);
    assert_eq!((&hold["status"], &hold["amount"]), (&json!("held"), &pounds("5.10")));
    recorded(&finish(&bob.caller, &super::kit::under(&hold, "post"), &json!({})).await);
    assert_eq!(stage.funds(bob.wallet).await.0, "5.10");
}
