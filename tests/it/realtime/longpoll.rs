//! Long polls: sessions, what is said in bodies, and their end.

use std::time::Duration;

use api::SocketLimits;
use serde_json::{Value, json};
use tests::wait;

use super::kit::{Api, PATIENCE, limits};

/// A client that polls.
struct Poller {
    base: String,
    http: reqwest::Client,
}

impl Poller {
    fn new(api: &Api) -> Poller {
        Poller { base: format!("http://{}/socket/longpoll?vsn=2.0.0", api.address), http: reqwest::Client::new() }
    }

    /// Polls with this token, of either kind.
    async fn poll(&self, token: &str) -> Value {
        let answer = self.http.get(format!("{}&token={token}", self.base)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["cache-control"]), (200, &"no-store".parse().unwrap()));
        answer.json().await.unwrap()
    }

    async fn post(&self, token: &str, lines: &str) -> Value {
        let request = self.http.post(format!("{}&token={token}", self.base)).body(lines.to_owned());
        let answer = request.header("content-type", "application/x-ndjson").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Polls until a frame of this event comes.
    async fn next_of(&self, token: &str, event: &str) -> Value {
        loop {
            let answer = self.poll(token).await;
            assert!([200, 204].contains(&answer["status"].as_i64().unwrap()), "{answer}");
            for message in answer["messages"].as_array().unwrap() {
                let frame: Value = serde_json::from_str(message.as_str().unwrap()).unwrap();
                if frame[3] == event {
                    return frame;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_session_says_and_hears_what_a_socket_would() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let (poller, topic) = (Poller::new(&api), format!("user:{}", ada.user_id));
    let begun = poller.poll(&api.token(&ada).await).await;
    assert_eq!((&begun["status"], &begun["messages"]), (&json!(410), &json!([])));
    let session = begun["token"].as_str().unwrap();
    let lines = [json!(["1", "1", topic, "phx_join", {}]), json!(["1", "2", topic, "ping", {"n": 1}])];
    assert_eq!(poller.post(session, &lines.map(|line| line.to_string()).join("\n")).await, json!({"status": 200}));
    let answer = poller.poll(session).await;
    assert_eq!((&answer["status"], &answer["token"]), (&json!(200), &json!(session)));
    let replies: Vec<Value> = answer["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(
        (replies.len(), &replies[0][4]["status"], &replies[1][4]["response"]["n"]),
        (2, &json!("ok"), &json!(1))
    );
    api.publish("test.told", std::slice::from_ref(&topic), json!({"n": 2})).await;
    assert_eq!(poller.next_of(session, "test.told").await[4]["data"]["n"], 2);
    // A push in bytes comes in base64; its reply in bytes cannot be sent.
    let push = [&[0, 1, 1, topic.len() as u8, 4][..], b"13", topic.as_bytes(), b"ping", &[255]].concat();
    let line = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, push);
    assert_eq!(poller.post(session, &line).await, json!({"status": 200}));
    assert_eq!(poller.post(session, &json!(["1", "4", topic, "ping", {"n": 4}]).to_string()).await["status"], 200);
    assert_eq!(poller.next_of(session, "phx_reply").await[1], "4");
}

#[tokio::test]
async fn what_is_no_session_is_told_so() {
    let api = Api::start_with(SocketLimits { poll_window: Duration::from_millis(300), ..limits() }).await;
    let ada = api.customer().await.principal;
    let (poller, token) = (Poller::new(&api), api.token(&ada).await);
    assert_eq!(poller.poll("poll_unknown").await, json!({"status": 403}));
    assert_eq!(poller.poll(&format!("{token}x")).await, json!({"status": 403}));
    assert_eq!(poller.post("poll_unknown", "[]").await, json!({"status": 410}));
    let session = poller.poll(&token).await["token"].as_str().unwrap().to_owned();
    assert_eq!(poller.poll(&session).await["status"], 204, "nothing happens");
    assert_eq!(poller.post(&session, "[]").await, json!({"status": 410}), "that is no frame");
    assert_eq!(poller.post(&session, "").await, json!({"status": 410}), "so the session is over");
    let session = poller.poll(&token).await["token"].as_str().unwrap().to_owned();
    assert_eq!(poller.post(&session, &"[]\n".repeat(101)).await, json!({"status": 413}));
    // Nobody polls any more, and posting alone keeps no session.
    let expired = async || (poller.post(&session, "").await["status"] == 410).then_some(());
    wait::until_async("the end of the session", PATIENCE, expired).await;
}

#[tokio::test]
async fn a_session_ends_with_its_token_and_with_the_process() {
    let api = Api::start().await;
    let [ada, bob] = [api.customer().await.principal, api.customer().await.principal];
    let poller = Poller::new(&api);
    let session = poller.poll(&api.token(&ada).await).await["token"].as_str().unwrap().to_owned();
    let revoke = async {
        sqlx::query("update app.api_key set revoked_at = now() where user_id = $1")
            .bind(ada.user_id.0)
            .execute(&api.pool)
            .await
            .unwrap();
        domain::access::revoked(&mut api.pool.acquire().await.unwrap(), ada.user_id).await.unwrap();
    };
    let (answer, ()) = tokio::join!(poller.poll(&session), revoke);
    assert_eq!(answer["status"], 410);
    let session = poller.poll(&api.token(&bob).await).await["token"].as_str().unwrap().to_owned();
    let waiting = tokio::spawn(async move { poller.poll(&session).await });
    tokio::task::yield_now().await;
    let served = api.stop();
    // It is answered, or it came too late to be heard at all.
    if let Ok(answer) = waiting.await {
        assert_eq!(answer["status"], 410);
    }
    tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap();
}
