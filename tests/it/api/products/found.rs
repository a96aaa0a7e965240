//! Products are found by words.

use serde_json::{Value, json};

use super::kit::{PRODUCTS, create, each, names, patch, path, work};
use crate::api::harness::{Answer, Api, Caller};

async fn search(caller: &Caller, query: &str) -> Answer {
    caller.get(&format!("{PRODUCTS}/search?{query}")).await
}

/// A shop of names as there are in the real orders.
async fn shop() -> (Api, Caller) {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    for (sku, name, price) in [
        ("85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "2.55"),
        ("71053", "WHITE METAL LANTERN", "3.39"),
        ("84406B", "CREAM CUPID HEARTS COAT HANGER", "2.75"),
        ("22423", "REGENCY CAKESTAND 3 TIER", "12.75"),
        ("22086", "PAPER CHAIN KIT 50'S CHRISTMAS", "2.95"),
        ("21232", "STRAWBERRY CERAMIC TRINKET BOX", "1.25"),
        ("22138", "BAKING SET 9 PIECE RETROSPOT", "4.95"),
        ("84947", "PINK/WHITE CHRISTMAS TREE", "1.65"),
        ("HEART", "Something with that code", "1.00"),
    ] {
        create(&caller, sku, name, price).await;
    }
    (api, caller)
}

#[tokio::test]
async fn search_products_by_whole_words_their_beginnings_and_misspelt() {
    let (_api, caller) = shop().await;
    let hearts = ["WHITE HANGING HEART T-LIGHT HOLDER", "CREAM CUPID HEARTS COAT HANGER"];
    for (query, expected) in [
        ("q=lantern", vec!["WHITE METAL LANTERN"]),
        ("q=LANTERNS", vec!["WHITE METAL LANTERN"]),
        ("q=white+heart", vec![hearts[0]]),
        ("q=t-light", vec![hearts[0]]),
        ("q=cupid+hang", vec![hearts[1]]),
        ("q=cerami", vec!["STRAWBERRY CERAMIC TRINKET BOX"]),
        ("q=lantren", vec!["WHITE METAL LANTERN"]),
        ("q=wite+metal", vec!["WHITE METAL LANTERN"]),
        ("q=chirstmas+chain", vec!["PAPER CHAIN KIT 50'S CHRISTMAS"]),
        ("q=strawbery", vec!["STRAWBERRY CERAMIC TRINKET BOX"]),
        ("q=pink", vec!["PINK/WHITE CHRISTMAS TREE"]),
        ("q=85123a", vec![hearts[0]]),
        ("q=set+of+9", vec!["BAKING SET 9 PIECE RETROSPOT"]),
        ("q=heart+lantern", vec![]),
        ("q=zzzzzz", vec![]),
        ("q=the", vec![]),
    ] {
        assert_eq!(names(&caller, query).await, expected, "{query}");
    }
    let found = names(&caller, "q=heart").await;
    assert_eq!((found.len(), found[0].as_str()), (3, "Something with that code"), "a code goes before names");
    let found = search(&caller, "q=lantren").await.json();
    assert_eq!(found["corrections"], json!([{ "word": "lantren", "searched": ["lantern"] }]));
    assert_eq!(search(&caller, "q=lant").await.json()["corrections"], json!([]), "that is the beginning of a word");
}

#[tokio::test]
async fn a_name_goes_before_a_description_and_a_short_one_before_a_long_one() {
    let api = Api::start().await;
    let (_, caller) = api.customer().await;
    create(&caller, "1", "A very long name that has the word teapot among many other words", "1").await;
    create(&caller, "2", "Teapot", "1").await;
    let cup = create(&caller, "3", "Cup", "1").await;
    patch(&caller, &path(&cup), &json!({ "description": "It goes with the teapot." })).await;
    let found = names(&caller, "q=teapot").await;
    assert_eq!((found[0].as_str(), found[2].as_str(), found.len()), ("Teapot", "Cup", 3));
    patch(&caller, &path(&cup), &json!({ "description": null, "name": "Mug" })).await;
    assert_eq!(names(&caller, "q=teapot").await.len(), 2);
    assert_eq!(names(&caller, "q=mugs").await, ["Mug"], "a change is found at once");
    assert_eq!(names(&caller, "q=mgu").await, [""; 0], "three letters are too few to guess from");
}

#[tokio::test]
async fn a_search_is_narrowed_and_counted_by_category() {
    let (api, caller) = shop().await;
    work(&api).await;
    let page = search(&caller, "q=white").await.json();
    assert_eq!((&page["matches"], &page["is_exact"]), (&json!(3), &json!(true)));
    let categories = caller.get("/api/v1/categories").await.json();
    let number = |name: &str| {
        let found = categories["items"].as_array().unwrap().iter().find(|category| category["name"] == name);
        found.unwrap()["id"].clone()
    };
    let lighting = number("lighting");
    let facets = json!([
        { "category_id": lighting, "category": "lighting", "products": 2 },
        { "category_id": number("christmas"), "category": "christmas", "products": 1 },
    ]);
    assert_eq!(page["facets"], facets);
    let owner = page["items"][0]["owner_id"].as_str().unwrap().to_owned();
    for (query, expected) in [
        (format!("category_id={lighting}"), 2),
        ("category_id=9999".to_owned(), 0),
        ("price_max=2.00".to_owned(), 1),
        ("price_min=2.00&price_max=3".to_owned(), 1),
        ("currency=EUR".to_owned(), 0),
        (format!("owner_id={owner}"), 3),
        (format!("owner_id={}", uuid::Uuid::now_v7()), 0),
        ("created_before=2020-01-01T00:00:00Z".to_owned(), 0),
    ] {
        assert_eq!(names(&caller, &format!("q=white&{query}")).await.len(), expected, "{query}");
    }
}

#[tokio::test]
async fn the_pages_of_a_search_are_what_was_found() {
    let (_api, caller) = shop().await;
    let all = each(&search(&caller, "q=white").await.json(), "id");
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let answer = search(&caller, &format!("q=white&limit=1{after}")).await;
        let page = answer.json();
        paged.extend(each(&page, "id"));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        assert!(answer.header("link").unwrap().contains(cursor));
        after = format!("&after={cursor}");
    }
    assert_eq!((paged.len(), paged), (3, all));
}

#[tokio::test]
async fn the_index_is_asked_whatever_the_statistics_say() {
    let api = Api::start().await;
    let statement = include_str!("../../../../domain/src/products/search/matches.sql");
    let mut tx = api.pool.begin().await.unwrap();
    for setting in ["enable_seqscan", "enable_indexscan"] {
        let off = format!("set local {setting} = off");
        sqlx::raw_sql(sqlx::AssertSqlSafe(off)).execute(&mut *tx).await.unwrap();
    }
    let prepare = format!("prepare matches as {statement}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut *tx).await.unwrap();
    for mode in ["force_generic_plan", "force_custom_plan"] {
        let set = format!("set local plan_cache_mode = {mode}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *tx).await.unwrap();
        let explain = "explain execute matches(0::smallint, 1, '''a''', '''a''', 'a', '''a''', null, null, null, null, null, 1001)";
        let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *tx).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Bitmap Index Scan on product_search"), "{mode}: {plan}");
    }
}

/// As a value in a query.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn no_words_break_a_search() {
    let (_api, caller) = shop().await;
    for text in [
        "'",
        "\"",
        "\\",
        "''':*",
        "a & | ! b",
        "<->",
        "(((",
        "!!!",
        ":*",
        "%",
        "_",
        "-",
        "heart'; drop table x --",
        "🕯️💡",
        "käse ß İ",
        "\u{202e}abc",
        "a\tb\n",
        "  ",
        "0",
        "-1.5e9",
        "http://a.b/c?d=e&f",
        "a@b.c",
        "<b>heart</b>",
        "=owner:1",
        "=archived",
        "of the and",
        "ﬁ",
    ] {
        let found = search(&caller, &format!("q={}", percent(text))).await;
        assert_eq!(found.status, 200, "{text}: {}", found.text);
    }
    for long in ["ab ".repeat(66), "x".repeat(200), "'".repeat(200), "🕯".repeat(200)] {
        assert_eq!(search(&caller, &format!("q={}", percent(&long))).await.status, 200, "{long}");
    }
    for wrong in [
        String::new(),
        "q=".to_owned(),
        format!("q={}", "x".repeat(10_000)),
        "q=a%00b".to_owned(),
        "q=%C2%85".to_owned(),
    ] {
        assert_eq!(search(&caller, &wrong).await.refusal().0, 422, "{wrong}");
    }
    assert_eq!(search(&caller, "q=a&after=AAAA").await.refusal().0, 422);
    assert_eq!(search(&caller, "q=a&colour=red").await.refusal().2, ["colour unknown_parameter"]);
}

#[tokio::test]
async fn of_very_many_matches_a_thousand_are_ranked() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    sqlx::query(
        "insert into app.product (id, owner_id, sku, name, price, currency)
         select gen_random_uuid(), $1, number::text, 'Heart ' || number, 1 + number, 'GBP'
         from generate_series(1, 6000) as number",
    )
    .bind(ada.principal.user_id.0)
    .execute(&api.pool)
    .await
    .unwrap();
    let page = search(&caller, "q=heart&limit=5").await.json();
    assert_eq!((&page["matches"], &page["is_exact"], &page["has_more"]), (&json!(1000), &json!(false), &json!(true)));
    assert_eq!(page["facets"], json!([{ "category_id": null, "category": null, "products": 1000 }]));
    let next = search(&caller, &format!("q=heart&limit=200&after={}", page["next_cursor"].as_str().unwrap())).await;
    let (first, next): (Vec<String>, Vec<String>) = (each(&page, "id"), each(&next.json(), "id"));
    assert!(next.len() == 200 && first.iter().all(|id| !next.contains(id)));
    let few = search(&caller, "q=heart&price_max=0.11").await.json();
    assert_eq!((&few["matches"], &few["is_exact"]), (&json!(10), &json!(false)), "the others were not looked at");
    assert_eq!(search(&caller, "q=heart+77").await.json()["is_exact"], Value::Bool(true));
}
