//! Idempotency under fire: many requests with one key, clients and servers killed between, one effect and one answer.

use std::collections::HashSet;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ledger::Currency;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::binary;
use tests::database::Database;
use tests::people;
use tests::wait::until_async;
use tokio::sync::Notify;

use super::super::harness::{Answer, Api};
use super::kit::TRANSACTIONS;

const REQUESTS: usize = 200;

/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the server is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as the requests are on their way.
    Sent,
    /// When the commit can be seen, whether anybody was answered or not.
    Saved,
    /// When somebody was answered.
    Answered,
}

/// `bitnexus api`, as a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
    database: String,
}

impl Process {
    async fn start(database: &Database) -> Process {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut process = Process { child: spawn(&database.url(), address), address, database: database.url() };
        process.until_ready().await;
        process
    }

    async fn until_ready(&mut self) {
        let ready = format!("http://{}/readyz", self.address);
        until_async("the API to be ready", PATIENCE, async || {
            assert!(self.child.try_wait().unwrap().is_none(), "the API ends by itself");
            reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
    }

    /// SIGKILL, and another one in its place.
    async fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.database, self.address);
        self.until_ready().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(database: &str, address: SocketAddr) -> Child {
    let mut command = Command::new(binary::path());
    command.arg("api").env("DATABASE_URL", database).env("API_LISTEN", address.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Sends a request under a key; none if the server was gone before the answer.
async fn send(
    http: &reqwest::Client,
    address: SocketAddr,
    token: &str,
    key: &str,
    body: &Value,
) -> Option<(StatusCode, Value)> {
    let request = http.post(format!("http://{address}{TRANSACTIONS}")).bearer_auth(token);
    let request = request.header("content-type", "application/json").header("idempotency-key", key);
    let answer = request.body(body.to_string()).send().await.ok()?;
    let (status, text) = (answer.status(), answer.text().await.ok()?);
    Some((status, serde_json::from_str(&text).ok()?))
}

/// Sends a request and hangs up at once.
fn send_and_leave(address: SocketAddr, token: &str, key: &str, body: &Value) {
    let body = body.to_string();
    let head = format!(
        "POST {TRANSACTIONS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

async fn count(pool: &PgPool, description: &str) -> i64 {
    let count = "select count(*) from app.transaction as t join queue.job as j on j.id = t.id where t.description = $1";
    sqlx::query_scalar(count).bind(description).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn two_hundred_requests_with_one_key_survive_kills_of_clients_and_server() {
    let database = Database::create().await;
    let pool = database.pool(4).await;
    let admin = people::admin(&pool).await;
    let (ada, bob) =
        (people::customer(&pool, &admin, Currency::GBP).await, people::customer(&pool, &admin, Currency::GBP).await);
    let key = domain::access::keys::create(&mut pool.acquire().await.unwrap(), 0, ada.principal.user_id, "test").await;
    let token = key.unwrap().reveal().to_owned();
    let mut process = Process::start(&database).await;
    let address = process.address;
    for moment in [Moment::Sent, Moment::Saved, Moment::Answered, Moment::Saved, Moment::Sent] {
        let name = format!("{moment:?}-{}", uuid::Uuid::now_v7());
        let body = json!({
            "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0,
            "amount": { "amount": "1", "currency": "GBP" }, "description": name,
        });
        let http = reqwest::Client::new();
        let answered = Arc::new(Notify::new());
        let sent = (0..REQUESTS).map(|n| {
            if n % 4 == 0 {
                send_and_leave(address, &token, &name, &body);
            }
            let (http, token, name, body, answered) =
                (http.clone(), token.clone(), name.clone(), body.clone(), answered.clone());
            tokio::spawn(async move {
                let answer = send(&http, address, &token, &name, &body).await;
                answered.notify_one();
                answer
            })
        });
        let sent: Vec<_> = sent.collect();
        match moment {
            Moment::Sent => {}
            Moment::Saved => while count(&pool, &name).await == 0 {},
            Moment::Answered => answered.notified().await,
        }
        process.kill_and_start_again().await;
        let mut answers: Vec<(StatusCode, Value)> =
            join_all(sent).await.into_iter().filter_map(Result::unwrap).collect();
        let again = (0..REQUESTS).map(|_| send(&http, address, &token, &name, &body));
        let again: Vec<_> =
            join_all(again).await.into_iter().map(|answer| answer.expect("nobody kills it now")).collect();
        assert_eq!(again.len(), REQUESTS);
        answers.extend(again);
        assert!(answers.iter().all(|(status, _)| *status == 202), "{moment:?}: {answers:?}");
        let different: HashSet<String> = answers.iter().map(|(_, body)| body.to_string()).collect();
        assert_eq!(different.len(), 1, "{moment:?}: everybody gets one answer");
        assert_eq!(count(&pool, &name).await, 1, "{moment:?}: one effect");
    }
}

#[tokio::test]
async fn of_two_hundred_requests_with_one_key_and_two_bodies_one_body_wins() {
    let api = Api::start().await;
    let ((ada, caller), (bob, _)) = (api.customer().await, api.customer().await);
    let body = |amount: usize| {
        let amount = json!({ "amount": amount.to_string(), "currency": "GBP" });
        json!({ "type": "transfer", "from": ada.wallet.0, "to": bob.wallet.0, "amount": amount })
    };
    let bodies = [body(1), body(2)];
    let sent = (0..REQUESTS).map(|n| caller.post_once(TRANSACTIONS, "one", &bodies[n % 2]));
    let answers = join_all(sent).await;
    let accepted: Vec<Value> = answers.iter().filter(|one| one.status == 202).map(Answer::json).collect();
    assert_eq!(accepted.len(), REQUESTS / 2, "those with the body that came first");
    assert!(accepted.iter().all(|one| *one == accepted[0]));
    let others = answers.iter().filter(|one| one.status != 202);
    for other in others {
        assert_eq!((other.refusal().0, other.refusal().1.as_str()), (409, "idempotency_key_reused"));
    }
    let written: i64 = sqlx::query_scalar("select count(*) from app.transaction").fetch_one(&api.pool).await.unwrap();
    assert_eq!(written, 1);
}
