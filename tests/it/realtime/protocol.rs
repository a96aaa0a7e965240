//! Frames by the letter: what Phoenix's server would answer.

use futures::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::kit::{Api, Client};

/// Sends each frame and expects exactly these answers.
async fn converse(client: &mut Client, turns: &[(Value, &[Value])]) {
    for (sent, wanted) in turns {
        client.send(sent.clone()).await;
        for frame in *wanted {
            let mut got = client.next().await;
            if let Some(response) = got[4].get_mut("response").and_then(Value::as_object_mut) {
                // Where the log is changes; other tests look at it.
                response.remove("last_event_id");
            }
            assert_eq!(got, *frame, "after {sent}");
        }
    }
}

fn ok(join_ref: &str, reference: &str, topic: &str) -> Value {
    json!([join_ref, reference, topic, "phx_reply", {"status": "ok", "response": {}}])
}

#[tokio::test]
async fn the_server_answers_as_phoenix_does() {
    let api = Api::start().await;
    let (ada, topic) = (api.customer().await.principal, "phoenix");
    let own = format!("user:{}", ada.user_id);
    let unmatched = |reference: &str, topic: &str| json!([null, reference, topic, "phx_reply", {"status": "error", "response": {"reason": "unmatched topic"}}]);
    let mut client = api.client(&ada).await;
    let heartbeat = json!([null, "1", topic, "phx_reply", {"status": "ok", "response": {}}]);
    let refused = json!(["2", "7", own, "phx_reply", {"status": "error", "response": {"reason": "unmatched event"}}]);
    let pinged = json!(["2", "6", own, "phx_reply", {"status": "ok", "response": {"n": [1, 2.5]}}]);
    let closed = |join_ref: &str| json!([join_ref, join_ref, own, "phx_close", {}]);
    converse(
        &mut client,
        &[
            (json!([null, "1", topic, "heartbeat", {}]), &[heartbeat]),
            (json!([null, "2", own, "ping", {}]), &[unmatched("2", &own)]),
            (json!(["2", "2", own, "phx_join", {}]), &[ok("2", "2", &own)]),
            (json!(["3", "3", "nonsense", "phx_join", {}]), &[unmatched("3", "nonsense")]),
            (json!(["2", "6", own, "ping", {"n": [1, 2.5]}]), std::slice::from_ref(&pinged)),
            // Older clients name no join in a push.
            (json!([null, "6", own, "ping", {"n": [1, 2.5]}]), std::slice::from_ref(&pinged)),
            (json!(["2", "7", own, "new_msg", {}]), &[refused]),
            // Of a join that is over, and without a reference: neither is answered.
            (json!(["1", "8", own, "ping", {}]), &[]),
            (json!(["2", null, own, "ping", {}]), &[]),
            // Joining again ends the channel that was there, by its own reference.
            (json!(["9", "9", own, "phx_join", {}]), &[closed("2"), ok("9", "9", &own)]),
            (json!(["2", "10", own, "phx_leave", {}]), &[]),
            (json!(["9", "11", own, "phx_leave", {}]), &[ok("9", "11", &own), closed("9")]),
            (json!(["9", "12", own, "phx_leave", {}]), &[ok("9", "12", &own)]),
            (json!(["9", "13", own, "ping", {}]), &[unmatched("13", &own)]),
        ],
    )
    .await;
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let own = format!("user:{}", ada.user_id);
    let mut client = api.client(&ada).await;
    client.joined(&own).await;
    let names = [b"1", &b"42"[..], own.as_bytes(), b"ping"];
    let head: Vec<u8> = std::iter::once(0).chain(names.iter().map(|name| name.len() as u8)).collect();
    client.socket.send(Message::binary([&head[..], &names.concat(), &[0, 255]].concat())).await.unwrap();
    let names = [b"1", &b"42"[..], own.as_bytes(), b"ok"];
    let head: Vec<u8> = std::iter::once(1).chain(names.iter().map(|name| name.len() as u8)).collect();
    assert_eq!(client.message().await, Message::binary([&head[..], &names.concat(), &[0, 255]].concat()));
}

#[tokio::test]
async fn an_event_is_pushed_to_those_who_joined_until_they_leave() {
    let api = Api::start().await;
    let (ada, bob) = (api.customer().await.principal, api.customer().await.principal);
    let topics = [&ada, &bob].map(|who| format!("user:{}", who.user_id));
    let (mut first, mut second) = (api.client(&ada).await, api.client(&ada).await);
    let mut other = api.client(&bob).await;
    first.joined(&topics[0]).await;
    second.joined(&topics[0]).await;
    other.joined(&topics[1]).await;
    api.publish("test.told", &topics[..1], json!({"n": 1})).await;
    for client in [&mut first, &mut second] {
        let frame = client.next().await;
        assert_eq!((&frame[0], &frame[1], &frame[2]), (&Value::Null, &Value::Null, &json!(topics[0])));
        assert_eq!(
            (&frame[3], &frame[4]["type"], &frame[4]["data"]),
            (&json!("test.told"), &json!("test.told"), &json!({"n": 1}))
        );
        assert!(frame[4]["id"].as_str().unwrap().contains('-') && frame[4]["at"].as_str().unwrap().ends_with('Z'));
    }
    second.send(json!(["1", "2", topics[0], "phx_leave", {}])).await;
    second.next_of("phx_close").await;
    api.publish("test.told", &topics, json!({"n": 2})).await;
    assert_eq!(first.next().await[4]["data"]["n"], 2);
    assert_eq!(other.next().await[4]["data"]["n"], 2, "and it never heard of the first");
    second.send(json!([null, "9", "phoenix", "heartbeat", {}])).await;
    assert_eq!(second.next().await[2], "phoenix", "nothing came to who had left");
}
