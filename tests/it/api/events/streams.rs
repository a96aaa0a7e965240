//! Streams: nothing is missing and nothing comes twice, whoever reads slowly and whoever goes away.

use std::time::Duration;

use tests::sse::Sse;

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

/// Whoever does not read is cut off when 1,024 events wait, and finds the rest when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_client_is_cut_off_and_misses_nothing() {
    const EVENTS: usize = 12_000;
    let api = Api::start().await;
    let token = token(&api, &api.principal).await;
    let mut slow = begun(&api, &token, "?topic=ledger").await;
    let mut quick = begun(&api, &token, "?topic=ledger").await;
    // More than the buffers of a connection take.
    let filler = "x".repeat(8_000);
    for chunk in 0..EVENTS / 1_000 {
        let names = (0..1_000).map(|n| format!("{}{filler}", chunk * 1_000 + n));
        write(&api.pool, &["ledger"], names).await;
        // Another one reads meanwhile and waits for nobody.
        assert_eq!(names_of(&mut quick, 1_000).await.len(), 1_000);
    }
    let (mut seen, mut visits) = (Vec::new(), 1);
    loop {
        while let Some(sent) = tokio::time::timeout(Duration::from_secs(60), slow.next()).await.unwrap() {
            seen.push(super::kit::name(&sent));
            if seen.len() == EVENTS {
                break;
            }
        }
        if seen.len() == EVENTS {
            break;
        }
        visits += 1;
        let last_id = slow.last_id.clone();
        slow = open(&api, &token, "?topic=ledger", Some(&last_id)).await.unwrap();
    }
    assert!(visits > 1, "it was cut off");
    let numbers: Vec<usize> = seen.iter().map(|name| name.trim_end_matches('x').parse().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..EVENTS));
}

async fn names_of(stream: &mut Sse, count: usize) -> Vec<String> {
    names(stream, count).await
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
