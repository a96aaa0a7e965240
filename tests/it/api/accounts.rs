//! Users, their sessions, keys and passwords.

mod cache;
mod keys;
mod passwords;
mod races;
mod sessions;
mod throttle;
mod users;

use serde_json::{Value, json};
use tests::people::Person;

use super::harness::{Answer, Api, Caller};

const PASSWORD: &str = "correct horse battery staple";

/// Creates a user who logs in with [`PASSWORD`]; returns it as the API shows it.
async fn with_password(api: &Api, email: &str) -> Value {
    let new = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
    let created = api.admin.post("/api/v1/users", &new).await;
    assert_eq!(created.status, 201, "{}", created.text);
    created.json()
}

async fn log_in(api: &Api, email: &str, password: &str) -> Answer {
    api.nobody().post("/api/v1/sessions", &json!({ "email": email, "password": password })).await
}

/// A log-in that succeeds: its answer, and a caller with its token.
async fn session(api: &Api, email: &str) -> (Value, Caller) {
    let answer = log_in(api, email, PASSWORD).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let session = answer.json();
    let caller = api.bearer(session["token"].as_str().unwrap());
    (session, caller)
}

fn path(user: &Value) -> String {
    format!("/api/v1/users/{}", user["id"].as_str().unwrap())
}

fn path_of(person: &Person) -> String {
    format!("/api/v1/users/{}", person.principal.user_id)
}

/// The tag that a resource has now.
async fn tag(caller: &Caller, path: &str) -> String {
    caller.get(path).await.header("etag").unwrap().to_owned()
}

async fn execute(api: &Api, statement: &'static str) {
    sqlx::query(statement).execute(&api.pool).await.unwrap();
}

async fn scalar<T>(api: &Api, statement: &'static str) -> T
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    sqlx::query_scalar(statement).fetch_one(&api.pool).await.unwrap()
}
