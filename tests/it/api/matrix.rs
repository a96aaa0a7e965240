//! Who gets what of every operation: roles, scopes, one's own and somebody else's things. The operations come from the document that
//! the API serves, so a new one without a row fails, with the row to add.

use domain::access::scope::{Scope, Scopes};
use domain::access::token::{Purpose, Token};
use domain::{Role, UserId};
use futures::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tests::people::Person;
use uuid::Uuid;

use super::harness::{Answer, Api, Caller};

/// An operation's id; what is sent besides the example of its body (a query after `?`, or members of the body, with `$user`, `$account`
/// and so on for things of the one whom it is about); and the status that is answered to a user about what is theirs, to a user about
/// what is somebody else's, to an operator and to an administrator.
type Row = (&'static str, &'static str, [u16; 4]);

/// One row for each operation, by id. Without a token everybody gets 401, without the scope 403: that is not repeated here.
const ROWS: &[Row] = &[
    ("askPasswordReset", "", [202, 202, 202, 202]),
    ("cancelJob", "", [409, 404, 200, 200]),
    ("categorizeProduct", "", [202, 404, 202, 202]),
    ("categorizeProducts", "", [403, 403, 202, 202]),
    ("changeBreak", "", [403, 403, 404, 404]),
    ("changeManyJobs", "", [403, 403, 200, 200]),
    ("changePassword", "", [403, 404, 404, 404]),
    ("changeSchedule", "", [403, 403, 404, 404]),
    ("confirmPasswordReset", "", [409, 409, 409, 409]),
    ("createApiKey", "", [201, 201, 201, 201]),
    ("createCategory", r#"{"name": "new $user"}"#, [403, 403, 201, 201]),
    ("createCategoryRule", r#"{"keyword": "new $user"}"#, [403, 403, 201, 201]),
    ("createImport", "?kind=products", [422, 422, 422, 422]),
    ("createPasswordReset", "", [403, 403, 403, 201]),
    ("createProduct", "", [201, 201, 201, 201]),
    ("createReconciliation", "", [403, 403, 202, 202]),
    ("createSchedule", r#"{"name": "$user"}"#, [403, 403, 201, 201]),
    ("createSession", "", [401, 401, 401, 401]),
    ("createTransaction", TRANSFER, [202, 422, 202, 202]),
    ("createTransactionBatch", BATCH, [202, 202, 202, 202]),
    ("createUser", NEW_USER, [403, 403, 403, 201]),
    ("createWebhook", "", [201, 201, 201, 201]),
    ("deleteCategory", "", [403, 403, 409, 409]),
    ("deleteCategoryRule", "", [403, 403, 204, 204]),
    ("deleteJob", "", [403, 403, 204, 204]),
    ("deleteSchedule", "", [403, 403, 404, 404]),
    ("deleteUser", "", [403, 403, 403, 409]),
    ("deleteWebhook", "", [204, 404, 204, 204]),
    ("downloadImportErrors", "", [404, 404, 404, 404]),
    ("endAllSessions", "", [204, 404, 404, 204]),
    ("endCurrentSession", "", [404, 404, 404, 404]),
    ("endSession", "", [204, 404, 404, 204]),
    ("enqueueJob", "", [403, 403, 403, 202]),
    ("eraseUser", "", [403, 403, 403, 202]),
    ("explainJob", "", [200, 404, 200, 200]),
    ("followEvents", "?wait=0", [200, 200, 200, 200]),
    ("getAccount", "", [200, 404, 200, 200]),
    ("getApiKey", "", [200, 404, 404, 200]),
    ("getBalance", "", [200, 404, 200, 200]),
    ("getBreak", "", [403, 403, 404, 404]),
    ("getCategory", "", [200, 200, 200, 200]),
    ("getCategoryRule", "", [200, 200, 200, 200]),
    ("getCheckpoint", "", [404, 404, 404, 404]),
    ("getEntries", "", [403, 403, 404, 404]),
    ("getImport", "", [404, 404, 404, 404]),
    ("getJob", "", [200, 404, 200, 200]),
    ("getJobPayload", "", [403, 403, 200, 200]),
    ("getLeaf", "", [409, 404, 409, 409]),
    ("getMe", "", [200, 200, 200, 200]),
    ("getProduct", "", [200, 200, 200, 200]),
    ("getQueue", "", [403, 403, 404, 404]),
    ("getReceipt", "", [409, 404, 409, 409]),
    ("getReconciliation", "", [403, 403, 404, 404]),
    ("getReconciliationReport", "", [403, 403, 404, 404]),
    ("getSchedule", "", [403, 403, 404, 404]),
    ("getScheduleTicks", "", [403, 403, 404, 404]),
    ("getStatement", "?from=2026-01-01&to=2026-01-31", [200, 404, 200, 200]),
    ("getTile", "", [404, 404, 404, 404]),
    ("getTransaction", "", [200, 404, 200, 200]),
    ("getUser", "", [200, 404, 200, 200]),
    ("getUserStatistics", "", [404, 404, 404, 404]),
    ("getWebhook", "", [200, 404, 200, 200]),
    ("getWebhookDelivery", "", [200, 404, 200, 200]),
    ("getWitnessedCheckpoint", "", [404, 404, 404, 404]),
    ("getWitnessedReceipt", "", [409, 404, 409, 409]),
    ("importStatement", "", [403, 403, 422, 422]),
    ("limitQueue", "", [403, 403, 404, 404]),
    ("listApiKeys", "", [200, 200, 200, 200]),
    ("listAudit", "", [403, 403, 200, 200]),
    ("listBreaks", "", [403, 403, 200, 200]),
    ("listCategories", "", [200, 200, 200, 200]),
    ("listCategoryRules", "", [200, 200, 200, 200]),
    ("listDeadLetters", "", [200, 200, 200, 200]),
    ("listEntries", "", [200, 404, 200, 200]),
    ("listImportErrors", "", [404, 404, 404, 404]),
    ("listImports", "", [200, 200, 200, 200]),
    ("listJobKinds", "", [403, 403, 200, 200]),
    ("listJobs", "", [200, 200, 200, 200]),
    ("listLimits", "", [403, 403, 200, 200]),
    ("listProducts", "", [200, 200, 200, 200]),
    ("listQueues", "", [403, 403, 200, 200]),
    ("listReconciliations", "", [403, 403, 200, 200]),
    ("listSchedules", "", [403, 403, 200, 200]),
    ("listSessions", "", [200, 404, 404, 200]),
    ("listStatements", "", [403, 403, 200, 200]),
    ("listTransactions", "?account=$account", [200, 404, 200, 200]),
    ("listUserProducts", "", [200, 404, 200, 200]),
    ("listUserTransactions", "", [200, 404, 200, 200]),
    ("listUserWallets", "", [200, 404, 200, 200]),
    ("listUsers", "", [200, 200, 200, 200]),
    ("listWebhookDeliveries", "", [200, 404, 200, 200]),
    ("listWebhooks", "", [200, 200, 200, 200]),
    ("listWorkers", "", [403, 403, 200, 200]),
    ("pauseJobKind", "", [403, 403, 404, 404]),
    ("pauseQueue", "", [403, 403, 404, 404]),
    ("pauseSchedule", "", [403, 403, 404, 404]),
    ("postTransaction", "", [422, 404, 422, 422]),
    ("prioritiseJob", "", [403, 403, 200, 200]),
    ("processUsers", "", [403, 403, 403, 202]),
    ("proveConsistency", "?old=1&size=2", [404, 404, 404, 404]),
    ("proveInclusion", "?index=0&size=1", [404, 404, 404, 404]),
    ("redriveDeadLetters", "", [403, 403, 200, 200]),
    ("refreshSession", "", [401, 401, 401, 401]),
    ("reindexProducts", "", [403, 403, 202, 202]),
    ("replayWebhook", "", [202, 404, 202, 202]),
    ("replayWebhookDelivery", "", [409, 404, 409, 409]),
    ("rescheduleJob", "", [403, 403, 200, 200]),
    ("resetLimit", "", [403, 403, 404, 404]),
    ("resumeJobKind", "", [403, 403, 404, 404]),
    ("resumeQueue", "", [403, 403, 404, 404]),
    ("resumeSchedule", "", [403, 403, 404, 404]),
    ("retryJob", "", [409, 404, 409, 409]),
    ("reverseTransaction", "", [404, 404, 422, 422]),
    ("revertSchedule", "", [403, 403, 404, 404]),
    ("revokeApiKey", "", [204, 404, 404, 204]),
    ("rotateWebhookSecret", "", [200, 404, 404, 404]),
    ("runSchedule", "", [403, 403, 404, 404]),
    ("searchProducts", "?q=a", [200, 200, 200, 200]),
    ("setLimit", "", [403, 403, 200, 200]),
    ("testWebhook", "", [202, 404, 202, 202]),
    ("updateCategory", r#"{"name": "renamed $user"}"#, [403, 403, 200, 200]),
    ("updateCategoryRule", "", [403, 403, 200, 200]),
    ("updateProduct", "", [200, 404, 200, 200]),
    ("updateUser", "", [200, 404, 403, 200]),
    ("updateWebhook", "", [200, 404, 200, 200]),
    ("voidTransaction", "", [403, 404, 422, 422]),
];

const NEW_USER: &str = r#"{"email": "$user@example.org"}"#;
const TRANSFER: &str = r#"{"from": "$account", "to": "$peer_account"}"#;
const BATCH: &str = r#"{"transactions": [{"type": "transfer", "from": "$account", "to": "$peer_account",
    "amount": {"amount": "1", "currency": "GBP"}}]}"#;

/// An operation as the document has it.
#[derive(Clone)]
struct Operation {
    id: String,
    method: Method,
    path: String,
    /// What it asks of its caller; none of an operation for everybody.
    scopes: Option<Vec<Scope>>,
    wants_tag: bool,
    /// The media type and the example of its body.
    body: Option<(String, Value)>,
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, operations): (&String, &Value)| {
        let all = operations.as_object().unwrap().clone();
        let path = path.clone();
        all.into_iter().map(move |(method, operation)| parse(document, &path, &method, &operation))
    };
    paths.iter().flat_map(of_path).collect()
}

fn parse(document: &Value, path: &str, method: &str, operation: &Value) -> Operation {
    let scopes = operation["security"].as_array().unwrap().first().map(|schemes| {
        let names = schemes["bearer"].as_array().unwrap();
        names.iter().map(|name| Scope::parse(name.as_str().unwrap()).unwrap()).collect()
    });
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let body = operation["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    Operation {
        id: operation["operationId"].as_str().unwrap().to_owned(),
        method: method.to_uppercase().parse().unwrap(),
        path: path.to_owned(),
        scopes,
        wants_tag: parameters.clone().any(|parameter| parameter["name"] == "If-Match"),
        body: body.map(|(media, body)| (media.clone(), example(document, &body["schema"]))),
    }
}

fn example(document: &Value, schema: &Value) -> Value {
    let reference = schema["$ref"].as_str();
    let schema = reference.map_or(schema, |reference| document.pointer(&reference[1..]).unwrap());
    schema["examples"][0].clone()
}

/// What the operations are tried on: one user's things, those of another, and a third who has to do with neither.
struct World {
    own: Subject,
    foreign: Subject,
}

/// Somebody's things.
struct Subject {
    person: Person,
    peer_account: Uuid,
    caller: Caller,
    product: String,
    transaction: String,
    key: String,
    session: Uuid,
    category: u64,
    rule: u64,
    webhook: String,
    delivery: String,
}

/// The id of what was created, where that is a number.
fn number(answer: Answer) -> u64 {
    answer.json()["id"].as_u64().expect(&answer.text)
}

impl World {
    async fn new(api: &Api) -> World {
        let (third, _) = api.customer().await;
        World { own: Subject::new(api, third).await, foreign: Subject::new(api, third).await }
    }
}

impl Subject {
    async fn new(api: &Api, peer: Person) -> Subject {
        let (person, caller) = api.customer().await;
        let price = json!({ "amount": "1", "currency": "GBP" });
        let product = caller.post("/api/v1/products", &json!({ "sku": "a", "name": "b", "price": price })).await;
        let transfer = json!({ "type": "transfer", "from": person.wallet.0, "to": peer.wallet.0, "amount": price });
        let transaction = caller.post("/api/v1/transactions", &transfer).await;
        let key = caller.post("/api/v1/api-keys", &json!({ "name": "c" })).await;
        let session = "insert into app.session (shard, token_hash, user_id, expires_at)
                       values (0, sha256(uuid_send($1)), $1, now() + interval '1 hour')
                       returning id";
        let session = sqlx::query_scalar(session).bind(person.principal.user_id.0).fetch_one(&api.pool).await.unwrap();
        let name = json!({ "name": person.principal.user_id.to_string() });
        let category = number(api.admin.post("/api/v1/categories", &name).await);
        let keyword = person.principal.user_id.to_string().to_uppercase();
        let rule = json!({ "rank": 1, "keyword": keyword, "category_id": category });
        let rule = number(api.admin.post("/api/v1/category-rules", &rule).await);
        let id = |answer: Answer| answer.json()["id"].as_str().expect(&answer.text).to_owned();
        let webhook = id(caller.post("/api/v1/webhooks", &json!({ "url": "https://example.org/hooks" })).await);
        let delivery = id(caller.post(&format!("/api/v1/webhooks/{webhook}/test"), &json!({})).await);
        Subject {
            person,
            peer_account: peer.wallet.0,
            caller,
            product: id(product),
            transaction: id(transaction),
            key: id(key),
            session,
            category,
            rule,
            webhook,
            delivery,
        }
    }

    /// The text with this subject's things in it.
    fn fill(&self, text: &str) -> String {
        text.replace("$peer_account", &self.peer_account.to_string())
            .replace("$account", &self.person.wallet.to_string())
            .replace("$user", &self.person.principal.user_id.to_string())
            .replace("$product", &self.product)
            .replace("$transaction", &self.transaction)
    }

    /// The path with this subject's thing in the place of its parameter; of what is unknown here there is none.
    fn path(&self, path: &str) -> String {
        let mut filled: Vec<String> = Vec::new();
        for segment in path.split('/') {
            let before = filled.last().map(String::as_str).unwrap_or_default();
            filled.push(match (segment.starts_with('{'), before) {
                (false, _) => segment.to_owned(),
                (true, "categories") => self.category.to_string(),
                (true, "category-rules") => self.rule.to_string(),
                (true, "api-keys") => self.key.clone(),
                (true, "webhooks") => self.webhook.clone(),
                (true, "webhook-deliveries") => self.delivery.clone(),
                (true, "sessions") => self.session.to_string(),
                (true, "tile") => "0/000".to_owned(),
                (true, "entries") => "000".to_owned(),
                (true, "users") => self.person.principal.user_id.to_string(),
                (true, "accounts") => self.person.wallet.to_string(),
                (true, "products") => self.product.clone(),
                // A transaction's job and receipt have its id.
                (true, "transactions" | "jobs" | "receipts") => self.transaction.clone(),
                (true, _) => Uuid::now_v7().to_string(),
            });
        }
        filled.join("/")
    }

    /// Asks for the operation on this subject's thing.
    async fn asked(&self, operation: &Operation, wish: &str, caller: &Caller) -> Answer {
        let wish = self.fill(wish);
        let (query, members) = if wish.starts_with('?') { (wish.as_str(), "") } else { ("", wish.as_str()) };
        let mut headers = if operation.wants_tag { vec![("if-match", "*")] } else { vec![] };
        let mut body = Vec::new();
        if let Some((media, example)) = &operation.body {
            headers.push(("content-type", media));
            let mut example = example.clone();
            for (name, value) in
                serde_json::from_str::<Value>(members).ok().iter().filter_map(Value::as_object).flatten()
            {
                example[name] = value.clone();
            }
            body = if example.is_null() { Vec::new() } else { example.to_string().into_bytes() };
        }
        let path = format!("{}{query}", self.path(&operation.path));
        caller.send(operation.method.clone(), &path, &headers, body).await
    }
}

impl Operation {
    /// Whether asking once changes what the next one finds.
    fn changes_what_is_there(&self) -> bool {
        self.method != Method::GET
    }
}

/// A key of the user that has these scopes and no other.
async fn key(api: &Api, user: UserId, scopes: Scopes) -> Caller {
    let key = Token::new(Purpose::ApiKey);
    let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
    let insert =
        "insert into app.api_key (shard, key_hash, user_id, name, hint, scopes) values (0, $1, $2, 'test', $3, $4)";
    let insert = sqlx::query(insert).bind(&key.hash()[..]).bind(user.0).bind(key.hint()).bind(names);
    insert.execute(&api.pool).await.unwrap();
    api.bearer(key.reveal())
}

/// What the four callers of a row get, each in a world of its own where that matters.
async fn statuses(api: &Api, operation: &Operation, wish: &str, shared: &World, operator: &Caller) -> [u16; 4] {
    let mut got = [0; 4];
    for (index, status) in got.iter_mut().enumerate() {
        let fresh = if operation.changes_what_is_there() { Some(World::new(api).await) } else { None };
        let world = fresh.as_ref().unwrap_or(shared);
        let (caller, subject) = match index {
            0 => (&world.own.caller, &world.own),
            1 => (&world.own.caller, &world.foreign),
            2 => (operator, &world.own),
            _ => (&api.admin, &world.own),
        };
        *status = subject.asked(operation, wish, caller).await.status.as_u16();
    }
    got
}

/// What is wrong with the operation, if anything is.
async fn check(api: &Api, operation: &Operation, shared: &World, operator: &Caller) -> Vec<String> {
    let name = &operation.id;
    let Some((_, wish, expected)) = ROWS.iter().find(|(id, _, _)| id == name) else {
        let got = statuses(api, operation, "", shared, operator).await;
        return vec![format!("{name} has no row: add `(\"{name}\", \"\", {got:?}),` if that is who may do what")];
    };
    let mut wrong = Vec::new();
    let got = statuses(api, operation, wish, shared, operator).await;
    if got != *expected {
        wrong.push(format!("{name}: own, foreign, operator, administrator got {got:?}, not {expected:?}"));
    }
    let Some(scopes) = &operation.scopes else { return wrong };
    for (role, statuses) in
        [(Role::User, &expected[..2]), (Role::Operator, &expected[2..3]), (Role::Admin, &expected[3..])]
    {
        let has_all = scopes.iter().all(|scope| Scopes::of_role(role).has(*scope));
        if !has_all && statuses.iter().any(|status| *status != 403) {
            wrong.push(format!("{name}: the row says {statuses:?} to the role {}, which lacks a scope", role.as_str()));
        }
    }
    let fresh = if operation.changes_what_is_there() { Some(World::new(api).await) } else { None };
    wrong.extend(check_credentials(api, operation, wish, fresh.as_ref().unwrap_or(shared), scopes, expected[0]).await);
    wrong
}

/// Without a valid token nobody gets past 401, without one of the scopes nobody past 403, and with them nothing else is asked for.
async fn check_credentials(
    api: &Api,
    operation: &Operation,
    wish: &str,
    world: &World,
    scopes: &[Scope],
    own: u16,
) -> Vec<String> {
    let (name, mut wrong) = (&operation.id, Vec::new());
    for stranger in [api.nobody(), api.bearer("nonsense"), api.bearer(Token::new(Purpose::ApiKey).reveal())] {
        let status = world.own.asked(operation, wish, &stranger).await.status;
        if status != 401 {
            wrong.push(format!("{name}: somebody without a valid token got {status}"));
        }
    }
    for lacking in scopes {
        let others: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| scope != lacking).collect();
        let caller = key(api, api.principal.user_id, Scopes::of(&others)).await;
        let answer = world.own.asked(operation, wish, &caller).await;
        if answer.status != 403 || answer.json()["scope"] != lacking.as_str() {
            wrong.push(format!("{name}: a key without {} got {}", lacking.as_str(), answer.text));
        }
    }
    // Who may do it with what is their own does; otherwise it takes an administrator.
    let user = if own != 403 { world.own.person.principal.user_id } else { api.principal.user_id };
    let sufficient = key(api, user, Scopes::of(scopes)).await;
    let status = world.own.asked(operation, wish, &sufficient).await.status;
    if status == 403 {
        wrong.push(format!("{name}: the documented scopes {scopes:?} do not suffice"));
    }
    wrong
}

#[tokio::test]
async fn everybody_gets_what_the_table_says_of_every_operation() {
    let api = Api::start().await;
    let document = api.nobody().get("/openapi.json").await.json();
    let operations = operations(&document);
    let (shared, operator) = (World::new(&api).await, api.operator().await);
    let (api, shared, operator) = (&api, &shared, &operator);
    let checks = operations.iter().map(|operation| async move { check(api, operation, shared, operator).await });
    let mut wrong: Vec<String> = stream::iter(checks).buffered(4).concat().await;
    for (id, _, _) in ROWS.iter().filter(|(id, _, _)| !operations.iter().any(|operation| operation.id == *id)) {
        wrong.push(format!("{id} has a row and is no operation any more"));
    }
    assert!(wrong.is_empty(), "ROWS of tests/it/api/matrix.rs and the API disagree:\n{}", wrong.join("\n"));
}
