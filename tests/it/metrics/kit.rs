//! The roles `api` and `worker` as real processes, on a database of the test's own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use domain::{Principal, setup};
use ledger::keys::SigningKey;
use ledger::{Book, Currency};
use reqwest::{Client, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::PgPool;
use tempfile::TempDir;
use tests::database::Database;
use tests::people::{self, Person};
use tests::wait::until_async;
use tests::{binary, processes};

use super::exposition::Exposition;

/// How long anything may take on a machine that is busy.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// The running roles; they end with the test.
pub(super) struct Roles {
    pub(super) api: String,
    pub(super) worker: String,
    pub(super) pool: PgPool,
    pub(super) key: String,
    pub(super) admin: Principal,
    pub(super) http: Client,
    children: Vec<Child>,
    database: Database,
    folder: TempDir,
}

impl Roles {
    /// Starts both, with two worker processes, and waits until they work.
    pub(super) async fn start() -> Roles {
        let database = Database::create().await;
        let pool = database.pool(4).await;
        let admin = people::admin(&pool).await;
        let mut conn = pool.acquire().await.unwrap();
        let key = setup::create_admin_key(&mut conn, Book::MAIN, "test").await.unwrap().unwrap();
        drop(conn);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), SigningKey::generate("test.example/main").unwrap().to_text())
            .unwrap();
        let (api, worker, key) = (free_address(), free_address(), key.reveal().to_owned());
        let (http, children) = (Client::new(), Vec::new());
        let mut roles = Roles { api, worker, pool, key, admin, http, children, database, folder };
        let (api, worker) = (roles.command(&["api"]), roles.command(&["worker", "--processes", "2"]));
        roles.spawn(worker);
        let slots = |page: &Exposition| {
            ["1", "2"].iter().all(|slot| page.sum("queue_places", &[("worker", slot), ("queue", "ledger")]) > 0.0)
        };
        roles.page_when("the workers to work", &roles.worker, slots).await;
        let declared = "select count(*) from queue.schedule";
        until_async("the schedules to be declared", PATIENCE, async || {
            let declared: i64 = sqlx::query_scalar(declared).fetch_one(&roles.pool).await.unwrap();
            (declared > 0).then_some(())
        })
        .await;
        // It reads the database when it starts, and then not for a while: what the workers declare should be there.
        roles.spawn(api);
        roles.page_when("the database to be read", &roles.api, |page| page.sum("database_up", &[]) > 0.0).await;
        roles.children.reverse();
        roles
    }

    /// A command of the binary with the settings of the roles.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary::path());
        command.args(arguments).current_dir(self.folder.path()).env("DATABASE_URL", self.database.url());
        command.env("API_LISTEN", &self.api).env("METRICS_LISTEN", &self.worker).env_remove("PORT");
        command.env("LEDGER_SIGNING_KEY_FILE", self.folder.path().join("key")).env("RUST_LOG", "warn");
        command
    }

    /// Starts a role; returns its place among the children.
    pub(super) fn spawn(&mut self, mut command: Command) -> usize {
        self.children.push(command.stdin(Stdio::null()).spawn().unwrap());
        self.children.len() - 1
    }

    /// The process ids of the worker processes.
    pub(super) fn worker_pids(&self) -> Vec<u32> {
        let below = processes::below(self.children[1].id());
        below.iter().filter(|process| process.role == processes::Role::Worker).map(|process| process.pid).collect()
    }

    /// Sends a signal to the child at this place.
    pub(super) fn signal(&self, place: usize, signal: Signal) {
        send(self.children[place].id(), signal);
    }

    /// Waits until the child at this place has ended.
    pub(super) async fn ended(&mut self, place: usize) {
        let child = &mut self.children[place];
        tests::wait::until("a role to end", PATIENCE, || child.try_wait().unwrap().map(drop)).await;
    }

    /// The metrics of the role at this address; none if it does not answer.
    pub(super) async fn page(&self, address: &str) -> Option<Exposition> {
        let answer = self.http.get(format!("http://{address}/metrics")).send().await.ok()?;
        assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        Some(Exposition::parse(&answer.text().await.ok()?))
    }

    /// The page of this role, as soon as `is_so`.
    pub(super) async fn page_when(&self, what: &str, address: &str, is_so: impl Fn(&Exposition) -> bool) -> Exposition {
        until_async(what, PATIENCE, async || self.page(address).await.filter(|page| is_so(page))).await
    }

    /// Somebody with an open wallet.
    pub(super) async fn customer(&self) -> Person {
        people::customer(&self.pool, &self.admin, Currency::GBP).await
    }

    /// Posts JSON to the API as the administrator.
    pub(super) async fn post(&self, path: &str, body: Value) -> Response {
        let request = self.http.post(format!("http://{}/api/v1{path}", self.api)).bearer_auth(&self.key);
        request.header("Prefer", "wait=30").json(&body).send().await.unwrap()
    }

    /// Puts this much on somebody's wallet, and waits until it is recorded or rejected.
    pub(super) async fn deposit(&self, to: &Person, pounds: &str) -> Value {
        let amount = json!({ "amount": pounds, "currency": "GBP" });
        let answer =
            self.post("/transactions", json!({ "type": "deposit", "to": to.wallet.0, "amount": amount })).await;
        answer.json().await.unwrap()
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        self.children.iter().for_each(|child| send(child.id(), Signal::TERM));
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

/// Sends a signal to a process, which may have gone.
pub(super) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = kill_process(pid, signal);
}

/// An address that nobody listened on a moment ago.
pub(super) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
