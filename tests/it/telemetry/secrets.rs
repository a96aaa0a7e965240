//! What is personal or secret is in no log, however much is logged.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::service::Service;
use tests::{binary, wait::until, wait::until_async};

use super::kit::{PATIENCE, deposit, send};

const EMAIL: &str = "quentin.zephyr@inbox.example";
const NAME: &str = "Quentin Zephyrwhistle";
const PASSWORD: &str = "seventeen purple ostriches waltz";
const WRONG: &str = "eighteen yellow pelicans snooze";
const NEXT: &str = "nineteen crimson flamingos knit";
const IMPORTED: &str = "rosamund.quill@inbox.example";
const IMPORTED_NAME: &str = "Rosamund Quillfeather";
const DESCRIPTION: &str = "for the secret birthday of Zephyrina";
/// A request without a key.
const NOBODY: &str = "";
const DATABASE_PASSWORD: &str = "hunter2-of-the-database";

/// Every file below the folder whose name is a log's, PostgreSQL's among them, as one text.
fn logs(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // The database's own files hold what it is for.
        if path.is_dir() && !path.ends_with("base") && !path.ends_with("pg_wal") {
            text.push_str(&logs(&path));
        } else if path.extension().is_some_and(|end| end == "log") {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()));
        }
    }
    text
}

/// Whoever uses the service; remembers what it was told in confidence.
struct Caller<'a> {
    service: &'a Service,
    secrets: Vec<String>,
}

impl Caller<'_> {
    async fn post(&mut self, path: &str, body: Value, authorization: Option<&str>) -> (u16, Value) {
        let bearer = authorization.map(|token| if token == NOBODY { String::new() } else { format!("Bearer {token}") });
        let headers: Vec<(&str, &str)> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let answer = send(self.service, ("POST", path), &body, &headers).await;
        self.remember(&answer.1);
        answer
    }

    /// The tokens and keys of an answer.
    fn remember(&mut self, answer: &Value) {
        for name in ["token", "refresh_token", "key"] {
            self.secrets.extend(answer[name].as_str().map(str::to_owned));
        }
    }

    async fn import(&self, file: String) -> u16 {
        let request = reqwest::Client::new().post(format!("{}/api/v1/imports?kind=users", self.service.url));
        let request = request.bearer_auth(&self.service.key).header("content-type", "text/csv").body(file);
        request.send().await.unwrap().status().as_u16()
    }
}

/// Signs up, logs in well and badly, makes keys, changes and resets the password, refreshes, and gets much wrong.
async fn use_accounts(caller: &mut Caller<'_>) -> Value {
    let new = json!({ "email": EMAIL, "name": NAME, "password": PASSWORD, "currencies": ["GBP"] });
    let (status, user) = caller.post("/api/v1/users", new.clone(), None).await;
    assert_eq!(status, 201, "{user}");
    assert_eq!(caller.post("/api/v1/users", new, None).await.0, 409, "the address is taken");
    for wrong in [json!({ "email": EMAIL, "name": NAME, "password": "short" }), json!({ "email": NAME, "name": EMAIL })]
    {
        assert_eq!(caller.post("/api/v1/users", wrong, None).await.0, 422);
    }
    let log_in = |password| json!({ "email": EMAIL, "password": password });
    let (status, session) = caller.post("/api/v1/sessions", log_in(PASSWORD), Some(NOBODY)).await;
    assert_eq!(status, 201, "{session}");
    assert_eq!(caller.post("/api/v1/sessions", log_in(WRONG), Some(NOBODY)).await.0, 401);
    let token = session["token"].as_str().unwrap().to_owned();
    let (status, key) = caller.post("/api/v1/api-keys", json!({ "name": "mine" }), Some(&token)).await;
    assert_eq!(status, 201, "{key}");
    let mangled = format!("{}x", key["key"].as_str().unwrap());
    assert_eq!(caller.post("/api/v1/transactions", json!({}), Some(&mangled)).await.0, 401);
    let refresh = json!({ "refresh_token": session["refresh_token"] });
    assert_eq!(caller.post("/api/v1/sessions/refresh", refresh.clone(), Some(NOBODY)).await.0, 201);
    let path = format!("/api/v1/users/{}/password-resets", user["id"].as_str().unwrap());
    let (status, reset) = caller.post(&path, json!({}), None).await;
    assert_eq!(status, 201, "{reset}");
    caller.post("/api/v1/password-resets", json!({ "email": EMAIL }), Some(NOBODY)).await;
    let confirm = json!({ "token": reset["token"], "password": NEXT });
    let (status, answer) = caller.post("/api/v1/password-resets/confirm", confirm.clone(), Some(NOBODY)).await;
    assert!((200..300).contains(&status), "{answer}");
    caller.post("/api/v1/password-resets/confirm", confirm, Some(NOBODY)).await;
    for _ in 0..6 {
        caller.post("/api/v1/sessions", log_in(WRONG), Some(NOBODY)).await;
    }
    user
}

/// Moves money, says what nobody may read, sends what is no JSON, and imports users.
async fn use_money(caller: &mut Caller<'_>, user: &Value) {
    let path = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
    let open = async || {
        let (_, user) = send(caller.service, ("GET", &path), &json!(null), &[]).await;
        (user["wallets"][0]["state"] == "open").then_some(())
    };
    until_async("the wallet to open", PATIENCE, open).await;
    let mut new = deposit(user);
    new["description"] = json!(DESCRIPTION);
    new["reference"] = json!("the-reference");
    let wait = [("prefer", "wait=30"), ("idempotency-key", "once")];
    let (status, answer) = send(caller.service, ("POST", "/api/v1/transactions"), &new, &wait).await;
    assert_eq!((status, &answer["status"]), (200, &json!("recorded")), "{answer}");
    new["amount"]["amount"] = json!("2.00");
    assert_eq!(caller.post("/api/v1/transactions", new.clone(), None).await.0, 409, "the reference is taken");
    new["amount"]["amount"] = json!(EMAIL);
    assert_eq!(caller.post("/api/v1/transactions", new, None).await.0, 422);
    let request = reqwest::Client::new().post(format!("{}/api/v1/users?email={EMAIL}", caller.service.url));
    let request = request.bearer_auth(&caller.service.key).header("content-type", "application/json");
    let broken = request.body(format!("{{\"email\": \"{EMAIL}\", ")).send().await.unwrap();
    assert!(broken.status().is_client_error());
    let rows = format!("email,name,country\n{IMPORTED},{IMPORTED_NAME},GB\n{EMAIL},{NAME},GB\nno-address,{NAME},GB\n");
    assert_eq!(caller.import(rows).await, 202);
    let has_run = || {
        let log = caller.service.log();
        let is_end = |line: &str| line.contains("\"ran\"") && line.contains("\"accounts.import\"");
        log.lines().any(is_end).then_some(())
    };
    until("the import to end", PATIENCE, has_run).await;
}

#[tokio::test]
async fn nothing_personal_or_secret_is_logged() {
    let service = Service::start_with(&[("RUST_LOG", "debug")]).await;
    let mut caller = Caller { service: &service, secrets: vec![service.key.clone()] };
    let user = use_accounts(&mut caller).await;
    use_money(&mut caller, &user).await;
    let erased = caller.post(&format!("/api/v1/users/{}/erase", user["id"].as_str().unwrap()), json!({}), None).await;
    assert!(erased.0 < 500, "{}", erased.1);
    let secrets = std::mem::take(&mut caller.secrets);
    assert!(secrets.len() >= 7, "{secrets:?}");
    let log = logs(service.folder());
    assert!(log.contains("\"level\":\"DEBUG\"") && log.contains("database system is ready"), "all of it is read");
    // The administrator's key is printed once, by the banner, which is no log.
    let banner = |line: &&str| !line.contains("admin key");
    let log: String = log.lines().filter(banner).map(|line| format!("{line}\n")).collect();
    let personal = [EMAIL, NAME, PASSWORD, WRONG, NEXT, IMPORTED, IMPORTED_NAME, DESCRIPTION].map(str::to_owned);
    for word in personal.iter().chain(&secrets) {
        let found: Vec<&str> = log.lines().filter(|line| line.contains(word.as_str())).take(3).collect();
        assert!(found.is_empty(), "{word}:\n{}", found.join("\n"));
    }
    service.stop();
}

#[test]
fn the_password_of_the_database_is_not_logged() {
    let url = format!("postgres://somebody:{DATABASE_PASSWORD}@127.0.0.1:1/nothing");
    let mut command = Command::new(binary::path());
    command.args(["jobs", "list"]).env("DATABASE_URL", &url).env("RUST_LOG", "debug").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("DATABASE_URL"), "{said}");
    let mut command = Command::new(binary::path());
    let wrong = url.replace("postgres://", "postgre://");
    let output = command.args(["jobs", "list"]).env("DATABASE_URL", wrong).output().unwrap();
    let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(DATABASE_PASSWORD), "{said}");
}
