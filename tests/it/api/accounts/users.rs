//! `list_users`, `get_user`, `create_user`, `update_user`, `delete_user`, and what belongs to a user.

use reqwest::Method;
use serde_json::{Value, json};
use tests::people;

use super::{PASSWORD, execute, log_in, path, path_of, scalar, session, tag, with_password};
use crate::api::harness::Api;

const USERS: &str = "/api/v1/users";

#[tokio::test]
async fn create_user_creates_a_valid_user() {
    let api = Api::start().await;
    let new = json!({ "email": "Ada@Example.org", "name": "Ada", "country": "United Kingdom", "password": PASSWORD });
    let created = api.admin.post(USERS, &new).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let user = created.json();
    assert_eq!(
        (&user["email"], &user["role"], &user["status"]),
        (&json!("Ada@Example.org"), &json!("user"), &json!("active"))
    );
    assert!(user.get("phone").is_none() && user.get("password").is_none());
}

#[tokio::test]
async fn create_user_requires_an_email_of_the_format_and_a_name() {
    let api = Api::start().await;
    let rows: [(Value, &[&str]); 6] = [
        (json!({ "name": "Ada" }), &["/email required"]),
        (json!({ "email": "ada", "name": "Ada" }), &["/email email"]),
        (json!({ "email": "a da@example.org", "name": "Ada" }), &["/email email"]),
        (json!({ "email": "ada@example.org" }), &["/name required"]),
        (json!({ "email": "ada@example.org", "name": " " }), &["/name blank"]),
        (
            json!({ "email": "ada@example.org", "name": "Ada", "password": "PasswordPassword1" }),
            &["/password common_password"],
        ),
    ];
    for (body, errors) in rows {
        assert_eq!(api.admin.post(USERS, &body).await.refusal().2, errors, "{body}");
    }
}

#[tokio::test]
async fn create_user_requires_a_unique_email_without_regard_to_case() {
    let api = Api::start().await;
    let first = api.admin.post(USERS, &json!({ "email": "ada@example.org", "name": "Ada" })).await.json();
    let second = api.admin.post(USERS, &json!({ "email": "ADA@example.ORG", "name": "Other" })).await;
    assert_eq!((second.refusal().0, second.refusal().1.as_str()), (409, "email_taken"));
    assert_eq!(second.json()["existing_id"], first["id"]);
}

#[tokio::test]
async fn list_users_filters_searches_and_pages() {
    let api = Api::start().await;
    for (email, name) in [("ada@math.org", "Ada Lovelace"), ("bob@math.org", "Bob 100%"), ("eve@net.org", "Eve")] {
        api.admin.post(USERS, &json!({ "email": email, "name": name })).await;
    }
    execute(&api, "update app.account_user set status = 'suspended' where name = 'Eve'").await;
    execute(&api, "update app.account_user set created_at = '2020-01-01' where name = 'Eve'").await;
    let names = async |query: &str| {
        let listed = api.admin.get(&format!("{USERS}?{query}")).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let name = |user: &Value| user["name"].as_str().unwrap().to_owned();
        listed.json()["items"].as_array().unwrap().iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("q=LOVE").await, ["Ada Lovelace"]);
    assert_eq!(names("q=math.org").await, ["Ada Lovelace", "Bob 100%"]);
    assert_eq!(names("q=00%25").await, ["Bob 100%"], "a percent sign stands for itself");
    assert_eq!(names("q=1_0").await, Vec::<String>::new(), "and so does an underscore");
    assert_eq!(names("status=suspended").await, ["Eve"]);
    assert_eq!(names("role=admin").await, ["Administrator"]);
    assert_eq!(names("created_to=2021-01-01T00:00:00Z").await, ["Eve"]);
    assert_eq!(names("created_from=2021-01-01T00:00:00Z&role=user").await, ["Ada Lovelace", "Bob 100%"]);
    assert_eq!(names("email=EVE@net.org").await, ["Eve"]);
    assert_eq!(names("role=user&q=eve&status=active").await, Vec::<String>::new());
    let first = api.admin.get(&format!("{USERS}?role=user&limit=2")).await;
    let next = first.header("link").unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    let second = api.admin.get(&next).await.json();
    assert_eq!((second["items"].as_array().unwrap().len(), &second["has_more"]), (1, &json!(false)));
    assert_eq!(api.admin.get(&format!("{USERS}?q=ab")).await.refusal().2, ["q invalid_parameter"]);
}

#[tokio::test]
async fn list_users_reads_an_index_for_what_it_looks_for() {
    let api = Api::start().await;
    execute(
        &api,
        "insert into app.account_user (id, email, name, role)
         select gen_random_uuid(), md5(n::text) || '@example.org', md5((-n)::text), 'user'
         from generate_series(1, 20000) as n",
    )
    .await;
    // The index is read with what waits to be put into it, so that goes first.
    execute(&api, "vacuum analyze app.account_user").await;
    for (email, search, index) in [
        (None, Some("%love%"), "account_user_search"),
        (Some("ada@example.org"), None, "account_user_email"),
        (None, None, "account_user_pkey"),
    ] {
        let sql = concat!("explain ", include_str!("../../../../domain/src/accounts/list.sql"));
        let plan: Vec<String> = sqlx::query_scalar(sql)
            .bind(0_i16)
            .bind(1)
            .bind(email)
            .bind(None::<uuid::Uuid>)
            .bind(None::<uuid::Uuid>)
            .bind(51_i64)
            .bind(search)
            .bind(None::<&str>)
            .bind(None::<&str>)
            .bind(None::<chrono::DateTime<chrono::Utc>>)
            .bind(None::<chrono::DateTime<chrono::Utc>>)
            .persistent(false)
            .fetch_all(&api.pool)
            .await
            .unwrap();
        assert!(plan.iter().any(|line| line.contains(index)), "{plan:#?}");
    }
}

#[tokio::test]
async fn get_user_shows_the_user_to_itself_and_to_staff() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let own = caller.get(&path_of(&ada)).await;
    assert_eq!(own.status, 200);
    assert_eq!(caller.get("/api/v1/users/me").await.json(), own.json());
    assert_eq!(api.operator().await.get(&path_of(&ada)).await.json(), own.json());
    assert_eq!(other.get(&path_of(&ada)).await.refusal().0, 404);
    let known = [("if-none-match", own.header("etag").unwrap())];
    assert_eq!(caller.send(Method::GET, &path_of(&ada), &known, Vec::new()).await.status, 304);
}

#[tokio::test]
async fn update_user_changes_what_is_named_and_keeps_the_rest() {
    let api = Api::start().await;
    let (ada, caller) = api.customer().await;
    let path = path_of(&ada);
    let first = tag(&caller, &path).await;
    let profile = json!({
        "name": "Ada King", "country": "UK", "phone": "+442079460000", "locale": "en-GB", "time_zone": "Europe/London",
        "avatar_url": "https://example.org/a.png", "bio": "Writes programs.\nFor engines."
    });
    let changed = caller.patch(&path, &first, &profile).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let user = changed.json();
    assert!(profile.as_object().unwrap().iter().all(|(name, value)| &user[name] == value), "{user}");
    assert_eq!(changed.header("etag"), Some(tag(&caller, &path).await.as_str()));
    let again =
        caller.patch(&path, changed.header("etag").unwrap(), &json!({ "bio": null, "name": "Ada" })).await.json();
    assert_eq!((&again["name"], &again["phone"], again.get("bio")), (&json!("Ada"), &json!("+442079460000"), None));
    assert_eq!(caller.patch(&path, &first, &profile).await.refusal().1, "precondition_failed");
    let bare = caller.send(Method::PATCH, &path, &[("content-type", "application/json")], b"{}".to_vec()).await;
    assert_eq!((bare.refusal().0, bare.refusal().1.as_str()), (428, "precondition_required"));
    let wrong = json!({ "phone": "1", "locale": "?", "time_zone": "x y", "avatar_url": "ftp://x/yz", "email": "a", "colour": 1 });
    let errors = [
        "/email email",
        "/phone phone",
        "/locale locale",
        "/time_zone time_zone",
        "/avatar_url https_url",
        "/colour unknown_field",
    ];
    assert_eq!(caller.patch(&path, "*", &wrong).await.refusal().2, errors);
}

#[tokio::test]
async fn update_user_leaves_rights_to_administrators_and_writes_down_who_did_it() {
    let api = Api::start().await;
    let ((ada, caller), (_, other)) = (api.customer().await, api.customer().await);
    let path = path_of(&ada);
    let operator = api.operator().await;
    let change = |name: &str, value: &str| json!({ name: value });
    let admins = format!("/api/v1/users/{}", api.principal.user_id);
    for (who, path, body, status, code) in [
        (&caller, &path, change("role", "admin"), 403, "forbidden"),
        (&caller, &path, change("status", "suspended"), 403, "forbidden"),
        (&caller, &path, change("email", "mine@example.org"), 403, "forbidden"),
        (&other, &path, change("name", "Mallory"), 404, "not_found"),
        (&operator, &path, change("name", "Mallory"), 403, "forbidden"),
        (&api.admin, &admins, change("role", "user"), 409, "own_account"),
        (&api.admin, &path, change("email", "admin@LOCALHOST"), 409, "email_taken"),
    ] {
        let answer = who.patch(path, "*", &body).await;
        assert_eq!((answer.refusal().0, answer.refusal().1.as_str()), (status, code), "{body}");
    }
    let promoted = api.admin.patch(&path, "*", &change("role", "operator")).await;
    assert_eq!((promoted.status.as_u16(), &promoted.json()["role"]), (200, &json!("operator")));
    assert_eq!(api.admin.patch(&path, "*", &change("email", "Countess@example.org")).await.status, 200);
    let written: Vec<String> =
        sqlx::query_scalar("select action from app.audit order by id").fetch_all(&api.pool).await.unwrap();
    assert_eq!(written, ["user.change_role", "user.update"]);
}

#[tokio::test]
async fn update_user_suspends_at_once_and_activates_again() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let (_, caller) = session(&api, "ada@example.org").await;
    assert_eq!(caller.get("/api/v1/users/me").await.status, 200);
    let suspended = api.admin.patch(&path(&user), "*", &json!({ "status": "suspended" })).await;
    assert_eq!(suspended.json()["status"], "suspended", "{}", suspended.text);
    let live: i64 = scalar(&api, "select count(*) from app.session where revoked_at is null").await;
    assert_eq!(live, 0);
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.refusal().1, "invalid_credentials");
    assert_eq!(api.admin.patch(&path(&user), "*", &json!({ "status": "active" })).await.status, 200);
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn update_user_changes_the_own_email_with_a_session() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let (_, caller) = session(&api, "ada@example.org").await;
    let changed = caller.patch(&path(&user), "*", &json!({ "email": "countess@example.org" })).await;
    assert_eq!(changed.json()["email"], "countess@example.org", "{}", changed.text);
    assert_eq!(log_in(&api, "Countess@example.org", PASSWORD).await.status, 201);
}

#[tokio::test]
async fn delete_user_keeps_a_tombstone_and_frees_the_address() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let (_, caller) = session(&api, "ada@example.org").await;
    let key = caller.post("/api/v1/api-keys", &json!({ "name": "mine" })).await.json();
    let by_key = api.bearer(key["key"].as_str().unwrap());
    assert_eq!(by_key.get("/api/v1/users/me").await.status, 200);
    let path = path(&user);
    assert_eq!(caller.delete(&path).await.refusal().0, 403);
    assert_eq!(api.admin.delete(&path).await.refusal().1, "precondition_required");
    let old = tag(&api.admin, &path).await;
    caller.patch(&path, "*", &json!({ "name": "Changed" })).await;
    let conditional = async |tag: &str| api.admin.send(Method::DELETE, &path, &[("if-match", tag)], Vec::new()).await;
    assert_eq!(conditional(&old).await.refusal().1, "precondition_failed");
    assert_eq!(conditional(&tag(&api.admin, &path).await).await.status, 204);
    assert_eq!(conditional("*").await.refusal().1, "user_deleted");
    assert_eq!(api.admin.patch(&path, "*", &json!({ "name": "x" })).await.refusal().1, "user_deleted");
    let tombstone = api.admin.get(&path).await.json();
    assert_eq!((&tombstone["status"], &tombstone["wallets"][0]["state"]), (&json!("deleted"), &json!("closed")));
    assert_eq!(log_in(&api, "ada@example.org", PASSWORD).await.refusal().1, "invalid_credentials");
    let alive = "select (select count(*) from app.session where revoked_at is null)
        + (select count(*) from app.api_key where revoked_at is null and name = 'mine')";
    assert_eq!(scalar::<i64>(&api, alive).await, 0);
    assert!(!api.admin.get("/api/v1/users").await.text.contains(user["id"].as_str().unwrap()));
    assert!(api.admin.get("/api/v1/users?status=deleted").await.text.contains(user["id"].as_str().unwrap()));
    with_password(&api, "ada@example.org").await;
}

#[tokio::test]
async fn delete_user_is_refused_while_money_is_there_or_on_its_way() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let pound = json!({ "amount": "1.00", "currency": "GBP" });
    let transfer = json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": pound });
    assert_eq!(caller.post("/api/v1/transactions", &transfer).await.status, 202);
    let refused = async |person: &people::Person| {
        let answer = api.admin.send(Method::DELETE, &path_of(person), &[("if-match", "*")], Vec::new()).await;
        answer.refusal().1
    };
    assert_eq!(refused(&ada).await, "transactions_pending");
    assert_eq!(refused(&bob).await, "transactions_pending");
    execute(&api, "update app.transaction set status = 'rejected', reason = 'insufficient_funds'").await;
    for (balance, held, code) in [("5", "0", "wallet_not_empty"), ("5", "2", "money_held")] {
        let statement = format!(
            "update ledger.account set balance = {balance}, version = 1, held_out = {held} where id = '{}'",
            ada.wallet
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&api.pool).await.unwrap();
        assert_eq!(refused(&ada).await, code);
    }
    let own = format!("/api/v1/users/{}", api.principal.user_id);
    let answer = api.admin.send(Method::DELETE, &own, &[("if-match", "*")], Vec::new()).await;
    assert_eq!(answer.refusal().1, "own_account");
}

#[tokio::test]
async fn get_user_products_transactions_and_wallets_are_the_users_own() {
    let api = Api::start().await;
    let ((ada, caller), (bob, other)) = (api.customer().await, api.customer().await);
    for (who, sku) in [(&caller, "a-1"), (&caller, "a-2"), (&other, "b-1")] {
        let price = json!({ "amount": "1.00", "currency": "GBP" });
        assert_eq!(who.post("/api/v1/products", &json!({ "sku": sku, "name": sku, "price": price })).await.status, 201);
    }
    let pound = json!({ "amount": "1.00", "currency": "GBP" });
    let transfer = json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": pound });
    let sent = caller.post("/api/v1/transactions", &transfer).await.json();
    let of = async |who: &crate::api::harness::Caller, what: &str| who.get(&format!("{}/{what}", path_of(&ada))).await;
    for who in [&caller, &api.admin] {
        let products = of(who, "products?limit=1").await.json();
        assert_eq!((&products["items"][0]["sku"], &products["has_more"]), (&json!("a-1"), &json!(true)));
        assert_eq!(of(who, "products?sku=b-1").await.json()["items"], json!([]));
        let transactions = of(who, "transactions?status=pending").await.json();
        assert_eq!(transactions["items"][0]["id"], sent["id"]);
        assert_eq!(of(who, "transactions?status=recorded").await.json()["items"], json!([]));
        let wallets = of(who, "wallets").await.json();
        assert_eq!(
            (&wallets["items"][0]["id"], &wallets["items"][0]["balance"]["amount"]),
            (&json!(ada.wallet.0), &json!("0.00"))
        );
    }
    for what in ["products", "transactions", "wallets"] {
        assert_eq!(of(&other, what).await.refusal().0, 404, "{what}");
    }
}
