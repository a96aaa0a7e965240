//! What one client may take of the service, and how it is told that it may not.

use std::time::Duration;

use api::{Limits, RateLimit, Rates, SocketLimits};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use futures::SinkExt;
use serde_json::json;
use tests::database::Database;
use tests::people;
use tokio_tungstenite::tungstenite::Message;

use super::kit::{Api, PATIENCE, limits};

#[tokio::test]
async fn who_may_not_connect_is_refused_as_phoenix_does() {
    let api = Api::start().await;
    let token = api.token(&api.customer().await.principal).await;
    let host = api.address.to_string();
    let protocol = format!("phoenix, base64url.bearer.phx.{}", STANDARD_NO_PAD.encode(&token));
    let rows = [
        (format!("token={token}&vsn=2.0.0"), vec![], None),
        (format!("vsn=2.0.0&token={token}&more=1"), vec![("origin", format!("http://{host}"))], None),
        ("vsn=2.0.0".to_owned(), vec![("sec-websocket-protocol", protocol.clone())], None),
        (format!("token={token}&vsn=1.0.0"), vec![], Some(403)),
        (format!("token={token}"), vec![], Some(403)),
        ("vsn=2.0.0".to_owned(), vec![], Some(403)),
        (format!("token={token}x&vsn=2.0.0"), vec![], Some(403)),
        (format!("token={token}&vsn=2.0.0"), vec![("origin", "https://evil.example".to_owned())], Some(403)),
        (format!("token={token}&vsn=2.0.0"), vec![("origin", "null".to_owned())], Some(403)),
        (format!("token={token}&vsn=2.0.0"), vec![("sec-websocket-version", "8".to_owned())], Some(400)),
    ];
    for (query, headers, refusal) in rows {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let outcome = api.connect(&query, &headers).await;
        assert_eq!(outcome.as_ref().err().copied(), refusal, "{query} {headers:?}");
        if let Ok(client) = outcome {
            let asked = headers.iter().any(|(name, _)| *name == "sec-websocket-protocol");
            assert_eq!(client.protocol.as_deref(), asked.then_some("phoenix"));
        }
    }
    let plain = reqwest::get(format!("http://{host}/socket/websocket?vsn=2.0.0")).await.unwrap();
    assert_eq!(plain.status(), 400);
}

#[tokio::test]
async fn who_is_refused_again_and_again_is_told_to_wait() {
    let pool = Database::create().await.pool(4).await;
    let admin = people::admin(&pool).await;
    let rates = Rates { address: RateLimit::a_minute(3), ..Rates::default() };
    let api = Api::serve(pool, admin, Limits { rates, sockets: limits(), ..Limits::default() }).await;
    let unknown = domain::access::token::Token::new(domain::access::token::Purpose::ApiKey);
    let query = format!("token={}&vsn=2.0.0", unknown.reveal());
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(api.connect(&query, &[]).await.map(drop));
    }
    assert_eq!(answers, [Err(403), Err(403), Err(403), Err(429), Err(429)]);
}

#[tokio::test]
async fn there_is_room_for_so_many() {
    let api = Api::start_with(SocketLimits { sockets_max: 3, sockets_per_user_max: 2, ..limits() }).await;
    let [ada, bob] = [api.customer().await.principal, api.customer().await.principal];
    let tokens = [api.token(&ada).await, api.token(&bob).await].map(|token| format!("token={token}&vsn=2.0.0"));
    let (first, _second) = (api.connect(&tokens[0], &[]).await.unwrap(), api.connect(&tokens[0], &[]).await.unwrap());
    assert_eq!(api.connect(&tokens[0], &[]).await.map(drop), Err(429));
    let _third = api.connect(&tokens[1], &[]).await.unwrap();
    assert_eq!(api.connect(&tokens[1], &[]).await.map(drop), Err(503));
    drop(first);
    let free = async || api.connect(&tokens[0], &[]).await.ok();
    drop(tests::wait::until_async("the place that was given back", PATIENCE, free).await);
}

#[tokio::test]
async fn a_client_joins_so_many_topics_so_fast() {
    let api = Api::start_with(SocketLimits { channels_max: 3, joins_per_second: 1, ..limits() }).await;
    let mut client = api.client(&api.customer().await.principal).await;
    for room in 0..3 {
        client.joined(&format!("room:{room}")).await;
    }
    let refusal = async |client: &mut super::kit::Client| client.join("room:x", json!({})).await.1["reason"].clone();
    assert_eq!(refusal(&mut client).await, "too many channels joined");
    client.joined("room:1").await;
    client.send(json!(["1", "1", "room:2", "phx_leave", {}])).await;
    client.next_of("phx_close").await;
    // Ten may come at once; a slow machine gives some of them back meanwhile.
    for _ in 0..200 {
        if refusal(&mut client).await == "too many joins" {
            return;
        }
        client.send(json!(["1", "1", "room:x", "phx_leave", {}])).await;
    }
    panic!("two hundred joins were not too many");
}

#[tokio::test]
async fn what_is_no_frame_closes_the_connection_and_no_other() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let mut other = api.client(&ada).await;
    let long = json!([null, "1", "phoenix", "heartbeat", "x".repeat(70_000)]).to_string();
    let hostile = [
        (Message::text("[]"), 1007),
        (Message::text("{\"a\":"), 1007),
        (Message::text("[".repeat(60_000)), 1007),
        (Message::binary(vec![]), 1007),
        (Message::binary(vec![0, 255, 255, 255, 255, 1]), 1007),
        (Message::binary(vec![9; 100]), 1007),
        (Message::text(long), 1009),
        (Message::binary(vec![0; 70_000]), 1009),
    ];
    for (message, code) in hostile {
        let mut client = api.client(&ada).await;
        client.socket.send(message).await.unwrap();
        assert_eq!(client.closed().await.0, code);
    }
    other.send(json!([null, "1", "phoenix", "heartbeat", {}])).await;
    assert_eq!(other.next().await[4]["status"], "ok");
}

#[tokio::test]
async fn who_says_nothing_is_let_go() {
    let api = Api::start_with(SocketLimits { idle_timeout: Duration::from_secs(2), ..limits() }).await;
    let mut client = api.client(&api.customer().await.principal).await;
    assert_eq!(client.closed().await, (1001, "nothing was heard for too long".to_owned()));
}

#[tokio::test]
async fn who_reads_too_slowly_is_let_go_and_nobody_waits() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let topic = format!("user:{}", ada.user_id);
    let (mut slow, mut quick) = (api.client(&ada).await, api.client(&ada).await);
    slow.joined(&topic).await;
    quick.joined(&topic).await;
    // More than the sockets' buffers and the queue together hold.
    let (much, count) = ("x".repeat(500_000), 40);
    for n in 0..count {
        api.publish("test.much", std::slice::from_ref(&topic), json!({"n": n, "much": much})).await;
        assert_eq!(quick.next_of("test.much").await[4]["data"]["n"], n);
    }
    let mut told = 0;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, futures::StreamExt::next(&mut slow.socket)).await {
        match message {
            Message::Close(close) => {
                assert_eq!(close.map(|close| u16::from(close.code)), Some(1008));
                break;
            }
            _ => told += 1,
        }
    }
    assert!(told < count, "it was told everything");
}

#[tokio::test]
async fn when_the_process_stops_it_says_goodbye() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let mut clients = [api.client(&ada).await, api.client(&ada).await];
    clients[0].joined(&format!("user:{}", ada.user_id)).await;
    let served = api.stop();
    for client in &mut clients {
        assert_eq!(client.closed().await, (1012, "the service restarts".to_owned()));
    }
    drop(clients);
    tokio::time::timeout(PATIENCE, served).await.unwrap().unwrap();
}
