//! Streams: nothing is missing and nothing comes twice, whoever reads slowly and whoever goes away.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::kit::{EVENTS, begun, names, open, token, write};
use crate::api::harness::Api;

/// A client that follows while somebody writes, goes away in the middle of it again and again, and comes back to one of two processes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn between_what_was_missed_and_what_happens_there_is_no_seam() {
    let api = Api::start().await;
    let other = api.again().await;
    let token = token(&api, &api.principal).await;
    let mut stream = begun(&api, &token, "?topic=ledger").await;
    let pool = api.pool.clone();
    let writer = tokio::spawn(async move {
        for number in 0..300 {
            // Some in a commit of their own, some beside others.
            let in_commit = if number % 10 == 0 { 7 } else { 1 };
            let names = (0..in_commit).map(|event| format!("{number}.{event}"));
            write(&pool, &["ledger"], names).await;
        }
    });
    let expected: Vec<String> = (0..300)
        .flat_map(|number| (0..if number % 10 == 0 { 7 } else { 1 }).map(move |event| format!("{number}.{event}")))
        .collect();
    let (mut seen, mut visits) = (Vec::new(), 0);
    while seen.len() < expected.len() {
        let few = (visits * 3 % 17 + 1).min(expected.len() - seen.len());
        seen.extend(names(&mut stream, few).await);
        let last_id = stream.last_id.clone();
        drop(stream);
        visits += 1;
        let process = if visits % 2 == 0 { &api } else { &other };
        stream = open(process, &token, "?topic=ledger", Some(&last_id)).await.unwrap();
    }
    writer.await.unwrap();
    assert_eq!(seen, expected);
    println!("{visits} visits to two processes");
}

/// A stream that is not read, over a connection that holds little: it has begun.
async fn begun_unread(api: &Api, token: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    let mut stream = socket.connect(api.address).await.unwrap();
    let request = format!(
        "GET {EVENTS}?topic=ledger HTTP/1.1\r\nhost: api\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !String::from_utf8_lossy(&head).contains("\nid: ") {
        assert!(stream.read_buf(&mut head).await.unwrap() > 0, "the stream begins");
    }
    stream
}

/// Whoever does not read is cut off when 1,024 events wait, and finds the rest when it comes back. Nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_client_is_cut_off_and_misses_nothing() {
    const COUNT: usize = 12_000;
    let api = Api::start().await;
    let token = token(&api, &api.principal).await;
    let mut slow = begun_unread(&api, &token).await;
    let mut quick = begun(&api, &token, "?topic=ledger").await;
    let filler = "x".repeat(2_000);
    for chunk in 0..COUNT / 1_000 {
        write(&api.pool, &["ledger"], (0..1_000).map(|n| format!("{}{filler}", chunk * 1_000 + n))).await;
        assert_eq!(names(&mut quick, 1_000).await.len(), 1_000);
    }
    let mut text = Vec::new();
    slow.read_to_end(&mut text).await.unwrap();
    let text = String::from_utf8(text).unwrap();
    let last_id = text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let number = |name: &str| name.trim_end_matches('x').parse::<usize>().unwrap();
    let payload = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().map(number);
    let mut seen: Vec<usize> =
        text.lines().filter_map(|line| line.strip_prefix("data: ")).filter_map(payload).collect();
    assert!(seen.len() < COUNT, "it was cut off");
    let mut rest = open(&api, &token, "?topic=ledger", Some(last_id)).await.unwrap();
    seen.extend(names(&mut rest, COUNT - seen.len()).await.iter().map(|name| number(name)));
    assert!(seen.into_iter().eq(0..COUNT));
}

#[tokio::test]
async fn a_request_that_waits_ends_with_what_there_is() {
    let api = Api::start().await;
    let nothing = api.admin.get(&format!("{EVENTS}?topic=ledger&wait=0")).await;
    assert_eq!(nothing.header("content-type"), Some("text/event-stream"));
    assert!(!nothing.text.contains("data:"), "{}", nothing.text);
    let id = nothing.text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    write(&api.pool, &["ledger"], ["a".to_owned(), "b".to_owned()]).await;
    let some = api.admin.get(&format!("{EVENTS}?topic=ledger&wait=0&last_event_id={id}")).await;
    assert_eq!(some.text.matches("data:").count(), 2, "{}", some.text);
    let last = some.text.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let waits = tokio::spawn({
        let (admin, path) = (api.admin.clone(), format!("{EVENTS}?topic=ledger&wait=30&last_event_id={last}"));
        async move { admin.get(&path).await }
    });
    write(&api.pool, &["ledger"], ["c".to_owned()]).await;
    let text = waits.await.unwrap().text;
    assert!(text.contains("\"c\"") && !text.contains("\"b\""), "{text}");
}

#[tokio::test]
async fn streams_end_when_the_process_is_asked_to_stop() {
    let api = Api::start().await;
    let token = token(&api, &api.principal).await;
    let mut stream = begun(&api, &token, "").await;
    let stopped = api.stop();
    assert_eq!(stream.next().await, None);
    tokio::time::timeout(Duration::from_secs(20), stopped).await.expect("nothing holds it up").unwrap();
}
