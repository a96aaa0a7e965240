//! What processes remember of tokens, and how they forget.

use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{PASSWORD, path, session, with_password};
use crate::api::harness::{Answer, Api, Caller};

/// Much less than the second for which a token is taken by a process that does not hear of revocations.
const AT_ONCE: Duration = Duration::from_millis(500);

/// The processes that listen, by the server's ids of their connections, once as many as `wanted` do and have beaten.
async fn listening(api: &Api, wanted: usize, gone: &[i32]) -> Vec<i32> {
    let listening = "select pid from pg_stat_activity
        where datname = current_database() and application_name = 'bitnexus api listen' and query like '%pg_notify%' and state = 'idle'";
    let started = Instant::now();
    loop {
        let found: Vec<i32> = sqlx::query_scalar(listening).fetch_all(&api.pool).await.unwrap();
        if found.len() == wanted && found.iter().all(|pid| !gone.contains(pid)) {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{found:?} listen");
        tokio::task::yield_now().await;
    }
}

/// How long the token is still taken.
async fn dies_after(caller: &Caller) -> Duration {
    let started = Instant::now();
    while caller.get("/api/v1/users/me").await.status == 200 {
        assert!(started.elapsed() < Duration::from_secs(20), "the token lives on");
    }
    started.elapsed()
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_in_every_process() {
    let (api, user) = {
        let api = Api::start().await;
        let user = with_password(&api, "ada@example.org").await;
        (api, user)
    };
    let other = api.again().await;
    let pids = listening(&api, 2, &[]).await;
    let made = async || {
        let (started, here) = session(&api, "ada@example.org").await;
        let there = other.bearer(started["token"].as_str().unwrap());
        // Now both remember it.
        assert_eq!(
            (here.get("/api/v1/users/me").await.status, there.get("/api/v1/users/me").await.status),
            (200.try_into().unwrap(), 200.try_into().unwrap())
        );
        (started, here, there)
    };
    let (_, here, there) = made().await;
    assert_eq!(here.delete("/api/v1/sessions/current").await.status, 204);
    assert!(dies_after(&there).await < AT_ONCE, "logged out");

    let (started, _, there) = made().await;
    let refresh = json!({ "refresh_token": started["refresh_token"] });
    assert_eq!(api.nobody().post("/api/v1/sessions/refresh", &refresh).await.status, 201);
    assert!(dies_after(&there).await < AT_ONCE, "refreshed");

    let (_, here, _) = made().await;
    let key = here.post("/api/v1/api-keys", &json!({ "name": "mine" })).await.json();
    let there = other.bearer(key["key"].as_str().unwrap());
    assert_eq!(there.get("/api/v1/users/me").await.status, 200);
    assert_eq!(here.delete(&format!("/api/v1/api-keys/{}", key["id"].as_str().unwrap())).await.status, 204);
    assert!(dies_after(&there).await < AT_ONCE, "withdrawn");

    // A connection that is lost is made again.
    sqlx::query("select pg_terminate_backend(pid) from unnest($1::integer[]) as pid")
        .bind(&pids)
        .execute(&api.pool)
        .await
        .unwrap();
    listening(&api, 2, &pids).await;
    let (_, _, there) = made().await;
    assert_eq!(api.admin.patch(&path(&user), "*", &json!({ "status": "suspended" })).await.status, 200);
    assert!(dies_after(&there).await < AT_ONCE, "suspended");
}

#[tokio::test]
async fn a_role_that_changes_counts_in_every_process() {
    let api = Api::start().await;
    let user = with_password(&api, "ada@example.org").await;
    let other = api.again().await;
    listening(&api, 2, &[]).await;
    let (started, _) = session(&api, "ada@example.org").await;
    let there = other.bearer(started["token"].as_str().unwrap());
    assert_eq!(there.get("/api/v1/users").await.json()["items"].as_array().unwrap().len(), 1);
    assert_eq!(api.admin.patch(&path(&user), "*", &json!({ "role": "operator" })).await.status, 200);
    let started = Instant::now();
    while there.get("/api/v1/users").await.json()["items"].as_array().unwrap().len() == 1 {
        assert!(started.elapsed() < AT_ONCE, "it is still taken for a user");
    }
}

/// A process that does not hear what is told to all while this lives: the server's end of its connection stands still.
struct Deaf(Pid);

impl Deaf {
    async fn make(api: &Api) -> Deaf {
        let started = Instant::now();
        loop {
            let pid = listening(api, 1, &[]).await[0];
            let deaf = Deaf(Pid::from_raw(pid).unwrap());
            kill_process(deaf.0, Signal::STOP).unwrap();
            while !std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") T ") {
                tokio::task::yield_now().await;
            }
            // At work it might hold what a commit that tells something waits for.
            let is_idle = "select state = 'idle' from pg_stat_activity where pid = $1";
            if sqlx::query_scalar(is_idle).bind(pid).fetch_one(&api.pool).await.unwrap() {
                return deaf;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "it is never idle");
        }
    }
}

impl Drop for Deaf {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::CONT);
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_is_gone_at_once_where_that_is_done() {
    let api = Api::start().await;
    let refused = async |caller: &Caller, deed: &str, done: Answer| {
        assert!(done.status.is_success(), "{deed}: {}", done.text);
        assert_eq!(caller.get("/api/v1/users/me").await.status, 401, "{deed}");
    };
    for deed in ["logged out", "refreshed", "withdrawn", "password changed", "password reset", "suspended", "deleted"] {
        let email = format!("{}@example.org", deed.replace(' ', "."));
        let user = path(&with_password(&api, &email).await);
        let ((_, here), (elsewhere, there)) = (session(&api, &email).await, session(&api, &email).await);
        let key = here.post("/api/v1/api-keys", &json!({ "name": "mine" })).await.json();
        let by_key = api.bearer(key["key"].as_str().unwrap());
        let reset = api.admin.post(&format!("{user}/password-resets"), &json!({})).await.json();
        let lost = if deed == "withdrawn" { &by_key } else { &there };
        assert_eq!(lost.get("/api/v1/users/me").await.status, 200, "now it is remembered");
        let _deaf = Deaf::make(&api).await;
        let done = match deed {
            "logged out" => there.delete("/api/v1/sessions/current").await,
            "refreshed" => {
                let token = json!({ "refresh_token": elsewhere["refresh_token"] });
                api.nobody().post("/api/v1/sessions/refresh", &token).await
            }
            "withdrawn" => here.delete(&format!("/api/v1/api-keys/{}", key["id"].as_str().unwrap())).await,
            "password changed" => {
                let change = json!({ "current_password": PASSWORD, "new_password": "a walrus plays the tuba" });
                let headers = [("content-type", "application/json")];
                here.send(Method::PUT, &format!("{user}/password"), &headers, change.to_string().into_bytes()).await
            }
            "password reset" => {
                let confirmation = json!({ "token": reset["token"], "password": "a walrus plays the tuba" });
                api.nobody().post("/api/v1/password-resets/confirm", &confirmation).await
            }
            "suspended" => api.admin.patch(&user, "*", &json!({ "status": "suspended" })).await,
            _ => api.admin.send(Method::DELETE, &user, &[("if-match", "*")], Vec::new()).await,
        };
        refused(lost, deed, done).await;
    }
}
