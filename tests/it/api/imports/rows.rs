//! What becomes of the rows of a file.

use serde_json::json;

use super::kit::{CSV, JSON_LINES, count, counts, errors, import, send, work};
use crate::api::harness::Api;

#[tokio::test]
async fn a_file_of_products_becomes_products_with_their_categories() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    // With a byte order mark, carriage returns, a line end in quotes, an empty line, and columns in an order of their own.
    let file = "\u{feff}price,sku,currency,name,description,category\r\n\
                2.55,85123A,GBP,White hanging heart t-light holder,\"two\nlines\",\r\n\r\n\
                0.85,X,EUR,A thing,,Toys\r\n\
                1,Y,JPY,\"Say \"\"hi\"\"\",,";
    let done = import(&api, &caller, "kind=products", CSV, file).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("finished"), [3, 3, 0, 0]), "{done}");
    assert_eq!((&done["bytes"], &done["bytes_done"]), (&json!(file.len()), &json!(file.len())));
    let listed = caller.get("/api/v1/products").await.json();
    let shown = |sku: &str| {
        let found = listed["items"].as_array().unwrap().iter().find(|product| product["sku"] == sku).unwrap();
        assert_eq!(found["owner_id"], json!(ada.principal.user_id.0));
        [&found["name"], &found["category"], &found["description"], &found["price"]["amount"]].map(Clone::clone)
    };
    let heart = json!(["White hanging heart t-light holder", "lighting", "two\nlines", "2.55"]);
    assert_eq!(json!(shown("85123A")), heart);
    assert_eq!(json!(shown("X")), json!(["A thing", "toys", null, "0.85"]));
    assert_eq!(json!(shown("Y")), json!(["Say \"hi\"", null, null, "1"]));
    assert_eq!(count(&api.pool, "app.import_chunk").await, 0, "the file goes when it is dealt with");
    let job = caller.get(&format!("/api/v1/jobs/{}", done["id"].as_str().unwrap())).await.json();
    assert_eq!(job["result"], json!({ "rows": 3, "created": 3, "existing": 0, "refused": 0 }));
}

#[tokio::test]
async fn each_row_that_breaks_a_rule_is_named_and_the_others_are_created() {
    let api = Api::start().await;
    let mut file = b"sku,name,price,currency,description,category\n".to_vec();
    let rows: [(&str, &[&str]); 14] = [
        ("a,One,1.00,GBP,,", &[]),
        ("a,One more,1.00,GBP,,", &["sku sku_taken"]),
        (",No code,1.00,GBP,,", &["sku required"]),
        ("b,,,,,", &["name required", "price required", "currency required"]),
        ("b,Many,1.005,GBP,,", &["price too_many_decimals"]),
        ("b,Words,one,GBP,,", &["price malformed_amount"]),
        ("b,Free,0,GBP,,", &["price positive"]),
        ("b,Coin,1,XXX,,", &["currency unknown_currency"]),
        ("b,Short,1,GBP", &["- cell_count"]),
        ("b,Qu\"ote,1,GBP,,", &["- malformed_csv"]),
        ("b,Nul\u{0},1,GBP,,", &["name control_character"]),
        ("b,Nowhere,1,GBP,,nowhere", &["category unknown_category"]),
        (",,-1,GBP,,", &["sku required", "name required"]),
        ("c,Last,3.00,GBP,,", &[]),
    ];
    let mut wanted: Vec<String> = Vec::new();
    for (index, (row, errors)) in rows.iter().enumerate() {
        file.extend(row.bytes().chain([b'\n']));
        wanted.extend(errors.iter().map(|error| format!("{} {error}", index + 2)));
    }
    file.extend(b"\xff,Bytes,1,GBP,,\n");
    file.extend(b"d,\"open,1,GBP,,\n");
    file.extend(std::iter::repeat_n(b'x', 70_000));
    file.extend(b"\ne,After,1,GBP,,\n");
    wanted.extend(["16 - invalid_utf8".to_owned(), "17 - too_long".to_owned()]);
    let done = import(&api, &api.admin, "kind=products", CSV, file).await;
    assert_eq!(counts(&done), [17, 3, 1, 13]);
    assert_eq!(errors(&api.admin, &done).await, wanted);
    assert_eq!(done["errors"], json!(wanted.len()));
    assert_eq!(count(&api.pool, "app.product where sku in ('a', 'c', 'e')").await, 3);
}

#[tokio::test]
async fn a_second_time_everything_is_there_already() {
    let api = Api::start().await;
    let line =
        |n: usize| format!("{{\"sku\":\"S{n}\",\"name\":\"Thing {n}\",\"price\":\"1.00\",\"currency\":\"GBP\"}}\n");
    let file: String = (0..2_500).map(line).collect();
    let first = import(&api, &api.admin, "kind=products", JSON_LINES, file.clone()).await;
    assert_eq!(counts(&first), [2_500, 2_500, 0, 0]);
    let second = import(&api, &api.admin, "kind=products", JSON_LINES, file).await;
    assert_eq!((counts(&second), &second["state"]), ([2_500, 0, 2_500, 0], &json!("finished")));
    assert_eq!(count(&api.pool, "app.product").await, 2_500);
    let job = api.admin.get(&format!("/api/v1/jobs/{}", second["id"].as_str().unwrap())).await.json();
    assert!(job["progress"]["rows"].as_i64() >= Some(1_000) && job["progress"]["bytes"] == second["bytes"], "{job}");
    // All errors, page by page and as a file, are the rows in their order.
    let path = format!("/api/v1/imports/{}/errors", second["id"].as_str().unwrap());
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = api.admin.get(&format!("{path}?limit=200{after}")).await.json();
        rows.extend(page["items"].as_array().unwrap().iter().map(|error| error["row"].as_i64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(rows, (1..=2_500).collect::<Vec<_>>());
    let csv = api.admin.get(&format!("{path}.csv")).await;
    assert_eq!((csv.status.as_u16(), csv.header("content-type")), (200, Some("text/csv")));
    assert!(csv.header("content-disposition").unwrap().contains(".csv"));
    let mut lines = csv.text.split_terminator("\r\n");
    assert_eq!(lines.next(), Some("number,row,line,field,code,detail"));
    assert_eq!(
        lines.clone().next(),
        Some("1,1,1,\"sku\",\"sku_taken\",\"Another of the owner's products has this code.\"")
    );
    assert_eq!(lines.count(), 2_500);
}

#[tokio::test]
async fn a_file_of_users_becomes_users_whose_wallets_one_job_opens() {
    let api = Api::start().await;
    let file = "email,name,country,role,currencies\n\
                ada@example.org,Ada,United Kingdom,,GBP;EUR\n\
                ADA@example.org,Ada again,,,\n\
                bob@example.org,Bob,,operator,\n\
                no address,Carl,,,\n\
                dora@example.org,Dora,,king,DKK\n\
                emil@example.org,Emil,,,GBP;GBP\n";
    let accepted = send(&api.admin, "kind=users", CSV, file).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    let ran = work(&api.pool).await;
    assert_eq!(
        ran.iter().map(|ran| ran.kind.as_str()).collect::<Vec<_>>(),
        ["accounts.import", "accounts.open_wallets"]
    );
    let import = api.admin.get("/api/v1/imports?kind=users").await.json()["items"][0].take();
    assert_eq!(counts(&import), [6, 2, 1, 3]);
    let wanted = ["3 email email_taken", "5 email email", "6 role unknown_value", "7 currencies duplicate"];
    assert_eq!(errors(&api.admin, &import).await, wanted);
    let ada = api.admin.get("/api/v1/users?email=ada@example.org").await.json()["items"][0].take();
    assert_eq!(
        (&ada["name"], &ada["role"], &ada["country"]),
        (&json!("Ada"), &json!("user"), &json!("United Kingdom"))
    );
    let wallets = ada["wallets"].as_array().unwrap();
    let states: Vec<_> = wallets.iter().map(|wallet| (&wallet["currency"], &wallet["state"])).collect();
    assert_eq!(json!(states), json!([["EUR", "open"], ["GBP", "open"]]));
    let lines = "{\"email\":\"fay@example.org\",\"name\":\"Fay\",\"currencies\":[\"EUR\"]}\n{\"email\":\"gus@example.org\"}\n[]\n";
    let import = super::kit::import(&api, &api.admin, "kind=users", JSON_LINES, lines).await;
    assert_eq!(errors(&api.admin, &import).await, ["2 name required", "3 - malformed_json"]);
}

#[tokio::test]
async fn an_import_is_its_senders_and_staffs() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let file = "sku,name,price,currency\n1,One,1,GBP\n1,Two,1,GBP\n";
    let refused = send(&caller, "kind=users", CSV, "email,name\na@b.c,A\n").await;
    assert_eq!(refused.refusal().0, 403);
    let refused = send(&other, &format!("kind=products&owner_id={}", ada.principal.user_id), CSV, file).await;
    assert_eq!(refused.refusal().0, 403);
    let unknown = format!("kind=products&owner_id={}", uuid::Uuid::now_v7());
    assert_eq!(send(&api.admin, &unknown, CSV, file).await.refusal().1, "owner_not_found");
    assert_eq!(count(&api.pool, "app.import").await, 0);
    let query = format!("kind=products&owner_id={}", ada.principal.user_id);
    let for_ada = import(&api, &api.admin, &query, CSV, file).await;
    assert_eq!(count(&api.pool, &format!("app.product where owner_id = '{}'", ada.principal.user_id)).await, 1);
    let own = import(&api, &caller, "kind=products", CSV, file).await;
    assert_eq!(counts(&own), [2, 0, 2, 0]);
    for (import, who, status) in [(&own, &other, 404), (&for_ada, &caller, 404), (&own, &api.admin, 200)] {
        for end in ["", "/errors", "/errors.csv"] {
            let answer = who.get(&format!("/api/v1/imports/{}{end}", import["id"].as_str().unwrap())).await;
            assert_eq!(answer.status, status, "{end}");
        }
    }
    let ids = |page: serde_json::Value| page["items"].as_array().unwrap().len();
    assert_eq!(ids(caller.get("/api/v1/imports").await.json()), 1);
    assert_eq!(ids(other.get("/api/v1/imports").await.json()), 0);
    assert_eq!(ids(api.admin.get("/api/v1/imports?state=finished&kind=products").await.json()), 2);
}
