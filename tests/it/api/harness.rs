//! A running API, and clients that check every answer against what its document promises.

use std::net::SocketAddr;
use std::sync::Arc;

use api::{ApiConfig, ApiState, Limits, Tls};
use domain::access::keys;
use domain::{Principal, Role};
use jobs::record_transaction::Submitter;
use ledger::Currency;
use queue::Notifier;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sqlx::PgPool;
use tests::database::Database;
use tests::people::{self, Person};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running API; it stops when the value is dropped.
pub(super) struct Api {
    pub(super) address: SocketAddr,
    pub(super) pool: PgPool,
    pub(super) admin: Caller,
    pub(super) principal: Principal,
    http: reqwest::Client,
    document: Arc<Value>,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Somebody who sends requests.
#[derive(Clone)]
pub(super) struct Caller {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    document: Arc<Value>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    /// The body; null if there is none.
    pub(super) fn json(&self) -> Value {
        if self.text.is_empty() { Value::Null } else { serde_json::from_str(&self.text).expect(&self.text) }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status, the code, and each wrong value as `place code`: what a row of a table of refusals expects.
    pub(super) fn refusal(&self) -> (u16, String, Vec<String>) {
        let problem = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        let place = |error: &Value| {
            let place = error["pointer"].as_str().or(error["parameter"].as_str()).unwrap_or("?");
            assert!(error["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{error}");
            format!("{place} {}", error["code"].as_str().unwrap())
        };
        let errors = problem["errors"].as_array().into_iter().flatten().map(place).collect();
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned(), errors)
    }
}

impl Api {
    /// Starts the API on a database of its own, with an administrator and open cash accounts.
    pub(super) async fn start() -> Api {
        Api::start_with(Limits::default()).await
    }

    pub(super) async fn start_with(limits: Limits) -> Api {
        Api::start_on(Database::create().await.pool(8).await, None, limits).await
    }

    /// The same on a migrated database of the test's own, through this pool, and with a replica of it.
    pub(super) async fn start_on(pool: PgPool, replica: Option<PgPool>, limits: Limits) -> Api {
        let principal = people::admin(&pool).await;
        Api::serve(pool, replica, principal, limits).await
    }

    /// Another process on the same database, as far as the API can tell.
    pub(super) async fn again(&self) -> Api {
        Api::serve(self.pool.clone(), None, self.principal, Limits::default()).await
    }

    async fn serve(pool: PgPool, replica: Option<PgPool>, principal: Principal, limits: Limits) -> Api {
        let (address, stop, served) = serve(&pool, replica, limits, None).await;
        let http = reqwest::Client::new();
        let document = http.get(format!("http://{address}/openapi.json")).send().await.unwrap();
        let document = Arc::new(serde_json::from_str(&document.text().await.unwrap()).unwrap());
        let admin = Caller {
            http: http.clone(),
            base: format!("http://{address}"),
            token: None,
            document: Arc::clone(&document),
        };
        let mut api = Api { address, pool, admin, principal, http, document, stop, served };
        api.admin = api.caller(&principal).await;
        api
    }

    /// Only the address of one that speaks TLS; it ends with the test.
    pub(super) async fn start_with_tls(tls: Tls) -> SocketAddr {
        let pool = Database::create().await.pool(2).await;
        let (address, stop, _) = serve(&pool, None, Limits::default(), Some(tls)).await;
        std::mem::forget(stop);
        address
    }

    /// Asks the server to stop; the handle ends when it has.
    pub(super) fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.served
    }

    /// A caller with an API key of this user.
    pub(super) async fn caller(&self, principal: &Principal) -> Caller {
        let mut conn = self.pool.acquire().await.unwrap();
        let key = keys::create(&mut conn, 0, principal.user_id, "test").await.unwrap();
        self.bearer(key.reveal())
    }

    /// A caller with this token, whatever it is.
    pub(super) fn bearer(&self, token: &str) -> Caller {
        Caller { token: Some(token.to_owned()), ..self.nobody() }
    }

    /// A caller without a token.
    pub(super) fn nobody(&self) -> Caller {
        let document = Arc::clone(&self.document);
        Caller { http: self.http.clone(), base: format!("http://{}", self.address), token: None, document }
    }

    /// A user with an open wallet in pounds, and its caller.
    pub(super) async fn customer(&self) -> (Person, Caller) {
        let person = people::customer(&self.pool, &self.principal, Currency::GBP).await;
        (person, self.caller(&person.principal).await)
    }

    /// An operator.
    pub(super) async fn operator(&self) -> Caller {
        let person = people::customer(&self.pool, &self.principal, Currency::GBP).await;
        sqlx::query("update app.account_user set role = $2 where id = $1")
            .bind(person.principal.user_id.0)
            .bind(Role::Operator.as_str())
            .execute(&self.pool)
            .await
            .unwrap();
        self.caller(&person.principal).await
    }
}

/// Serves on a free port until the sender is dropped.
async fn serve(
    pool: &PgPool,
    replica: Option<PgPool>,
    limits: Limits,
    tls: Option<Tls>,
) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let notifier = Notifier::spawn(pool.clone());
    let submitter = Submitter::spawn(pool.clone(), notifier.clone());
    let state = ApiState { pool: pool.clone(), submitter, notifier, metrics: None, limits, replica };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        let _ = stopped.await;
    };
    let served = tokio::spawn(async move { api::serve(ApiConfig { listener, state, tls }, shutdown).await.unwrap() });
    (address, stop, served)
}

impl Caller {
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Vec::new()).await
    }

    /// The bytes of an answer that is no text.
    pub(super) async fn raw(&self, path: &str) -> Vec<u8> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(self.token.as_ref().unwrap());
        request.send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string().into_bytes()).await
    }

    /// A PATCH of what has this `ETag`.
    pub(super) async fn patch(&self, path: &str, tag: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("if-match", tag)];
        self.send(Method::PATCH, path, &headers, body.to_string().into_bytes()).await
    }

    /// A DELETE without conditions.
    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, &[], Vec::new()).await
    }

    /// A POST under an `Idempotency-Key`.
    pub(super) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.send(Method::POST, path, &headers, body.to_string().into_bytes()).await
    }

    pub(super) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base)).body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, text: response.text().await.unwrap() };
        self.check(&method, path, &answer);
        answer
    }

    /// What holds of every answer: it has an id and the security headers, and its status is one that the document names.
    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        assert!(answer.header("x-request-id").is_some());
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let path = path.split('?').next().unwrap();
        let Some(operation) = self.operation(path, &documented_as(method)) else {
            let is_preflight = *method == Method::OPTIONS && answer.status == 204;
            let refused = ["no_such_route", "method_not_allowed"].iter().any(|code| answer.text.contains(code));
            let routed = !refused && !is_preflight;
            assert!(!(routed && path.starts_with("/api/")), "{method} {path} is not in the document");
            return;
        };
        let response = &operation["responses"][answer.status.as_str()];
        assert!(response.is_object(), "{method} {path} may not answer {}: {}", answer.status, answer.text);
        let media = answer.header("content-type").unwrap_or_default();
        assert!(answer.text.is_empty() || response["content"][media].is_object(), "{method} {path}: {media}");
    }

    fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
            // The rest of a path may have slashes.
            let has_rest = ["{tile}", "{bundle}"].iter().any(|rest| wanted.last() == Some(rest));
            let fits = wanted.len() == given.len() || (has_rest && given.len() > wanted.len());
            fits && wanted.iter().zip(&given).all(same)
        };
        let paths = self.document["paths"].as_object()?;
        let exact = paths.get(path);
        let path = exact.or_else(|| paths.iter().find(|(template, _)| fits(template)).map(|(_, path)| path))?;
        path.get(method)
    }
}

/// HEAD is GET without its body, and not written down by itself.
fn documented_as(method: &Method) -> String {
    method.as_str().to_lowercase().replace("head", "get")
}
