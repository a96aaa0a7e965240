//! An API that serves channels, and a client that speaks their frames.

use std::net::SocketAddr;
use std::time::Duration;

use api::{ApiConfig, ApiState, Limits, SocketLimits, TopicMap};
use domain::Principal;
use domain::access::keys;
use domain::events::{self, Event};
use futures::{SinkExt, StreamExt};
use jobs::record_transaction::Submitter;
use ledger::{Book, Currency};
use queue::Notifier;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::database::Database;
use tests::people::{self, Person};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};

/// However slow the machine is.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A running API; it stops when the value is dropped.
pub(super) struct Api {
    pub(super) address: SocketAddr,
    pub(super) pool: PgPool,
    pub(super) admin: Principal,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

/// Limits of channels, and topics that tests need besides: `room:<name>` for everybody, with presence.
pub(super) fn limits() -> SocketLimits {
    let topics: TopicMap = r#"{"topics": [
        {"topic": "user:{id}", "who": "owner", "scopes": ["users:read", "products:read", "transactions:read"], "follows": ["user:{id}"]},
        {"topic": "transactions:{id}", "who": ["owner", "transaction"], "scopes": ["transactions:read"],
         "follows": ["transactions:{id}", "user:{id}"], "events": {"transaction.*": "*"}},
        {"topic": "ledger", "who": "staff", "scopes": ["ledger:read"], "follows": ["ledger"], "presence": true},
        {"topic": "jobs:{id}", "who": "job", "scopes": ["jobs:read"], "follows": ["jobs:{id}"]},
        {"topic": "room:{id}", "who": "anyone", "presence": true}]}"#
        .parse()
        .unwrap();
    SocketLimits { topics, ..SocketLimits::default() }
}

impl Api {
    pub(super) async fn start() -> Api {
        Api::start_with(limits()).await
    }

    pub(super) async fn start_with(sockets: SocketLimits) -> Api {
        let pool = Database::create().await.pool(8).await;
        let admin = people::admin(&pool).await;
        Api::serve(pool, admin, Limits { sockets, ..Limits::default() }).await
    }

    /// Another process on the same database.
    pub(super) async fn again(&self) -> Api {
        Api::serve(self.pool.clone(), self.admin, Limits { sockets: limits(), ..Limits::default() }).await
    }

    pub(super) async fn serve(pool: PgPool, admin: Principal, limits: Limits) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let notifier = Notifier::spawn(pool.clone());
        let submitter = Submitter::spawn(pool.clone(), notifier.clone());
        let state = ApiState { pool: pool.clone(), submitter, notifier, metrics: None, limits, replica: None };
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let config = ApiConfig { listener, state, tls: None };
        let served = tokio::spawn(async move { api::serve(config, shutdown).await.unwrap() });
        Api { address, pool, admin, stop, served }
    }

    /// Asks it to stop; the handle ends when it has.
    pub(super) fn stop(self) -> JoinHandle<()> {
        drop(self.stop);
        self.served
    }

    /// Somebody with an open wallet.
    pub(super) async fn customer(&self) -> Person {
        people::customer(&self.pool, &self.admin, Currency::GBP).await
    }

    /// An API key of this user.
    pub(super) async fn token(&self, who: &Principal) -> String {
        let mut conn = self.pool.acquire().await.unwrap();
        keys::create(&mut conn, 0, who.user_id, "test").await.unwrap().reveal().to_owned()
    }

    /// A connected client of this user.
    pub(super) async fn client(&self, who: &Principal) -> Client {
        let token = self.token(who).await;
        self.connect(&format!("token={token}&vsn=2.0.0"), &[]).await.unwrap()
    }

    /// Connects with this query and these headers; the status, if it is refused.
    pub(super) async fn connect(&self, query: &str, headers: &[(&str, &str)]) -> Result<Client, u16> {
        connect(self.address, query, headers).await
    }

    /// Writes an event of a test into the log, for these topics.
    pub(super) async fn publish(&self, kind: &'static str, topics: &[String], payload: Value) {
        let mut tx = self.pool.begin().await.unwrap();
        events::publish(&mut tx, Book::MAIN, &[Event::new(kind, topics, &payload)]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Connects with this query and these headers; the status, if it is refused.
pub(crate) async fn connect(api: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Result<Client, u16> {
    let mut request = format!("ws://{api}/socket/websocket?{query}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let stream = TcpStream::connect(api).await.unwrap();
    match tokio_tungstenite::client_async(request, stream).await {
        Ok((socket, response)) => {
            let protocol = response.headers().get("sec-websocket-protocol");
            let protocol = protocol.map(|value| value.to_str().unwrap().to_owned());
            Ok(Client { socket, protocol })
        }
        Err(Error::Http(response)) => {
            let is_bare = response.body().as_ref().is_none_or(Vec::is_empty);
            assert!(is_bare || response.status() != 403, "as Phoenix answers");
            Err(response.status().as_u16())
        }
        Err(other) => panic!("{other}"),
    }
}

/// A client.
pub(crate) struct Client {
    pub(super) socket: WebSocketStream<TcpStream>,
    /// The subprotocol that the server chose.
    pub(super) protocol: Option<String>,
}

impl Client {
    pub(super) async fn send(&mut self, frame: Value) {
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next message.
    pub(super) async fn message(&mut self) -> Message {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message comes in time");
        next.expect("the connection is open").expect("a message is well formed")
    }

    /// The next frame of text.
    pub(super) async fn next(&mut self) -> Value {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next frame of this event; what comes before is passed over.
    pub(crate) async fn next_of(&mut self, event: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame[3] == event {
                return frame;
            }
        }
    }

    /// Joins a topic and returns what it is answered: status and response.
    pub(super) async fn join(&mut self, topic: &str, params: Value) -> (String, Value) {
        self.send(json!(["1", "1", topic, "phx_join", params])).await;
        let reply = self.next_of("phx_reply").await;
        assert_eq!((&reply[1], &reply[2]), (&json!("1"), &json!(topic)));
        (reply[4]["status"].as_str().unwrap().to_owned(), reply[4]["response"].clone())
    }

    /// Joins a topic that it may join; returns where the log is.
    pub(crate) async fn joined(&mut self, topic: &str) -> String {
        let (status, response) = self.join(topic, json!({})).await;
        assert_eq!(status, "ok", "{topic}: {response}");
        response["last_event_id"].as_str().unwrap().to_owned()
    }

    /// The code and the reason with which the server closes the connection; what comes before is passed over.
    pub(super) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.message().await {
                Message::Close(Some(close)) => return (close.code.into(), close.reason.to_string()),
                Message::Close(None) => panic!("it is closed without a reason"),
                _ => {}
            }
        }
    }
}
