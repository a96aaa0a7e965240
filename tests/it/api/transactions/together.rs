//! Transactions that are read at the same time share a statement, and nothing else.

use std::collections::HashSet;

use futures::future::join_all;
use uuid::Uuid;

use super::kit::{Stage, TRANSACTIONS, finish, recorded, transfer};

#[tokio::test]
async fn each_of_many_readers_at_once_gets_its_own_and_nobody_elses() {
    let stage = Stage::start().await;
    let (ada, bob, eve) = (stage.customer(100).await, stage.customer(0).await, stage.customer(0).await);
    let mut paths = Vec::new();
    for _ in 0..8 {
        let moved = recorded(&finish(&ada.caller, TRANSACTIONS, &transfer(&ada, &bob, "1")).await);
        paths.push(format!("{TRANSACTIONS}/{}", moved["id"].as_str().unwrap()));
    }
    let unknown = format!("{TRANSACTIONS}/{}", Uuid::now_v7());
    let read = async |round: usize| {
        let path = &paths[round % paths.len()];
        let (made, took_part, stranger, nothing) =
            tokio::join!(ada.caller.get(path), bob.caller.get(path), eve.caller.get(path), ada.caller.get(&unknown));
        let statuses = [&made, &took_part, &stranger, &nothing].map(|answer| answer.status.as_u16());
        assert_eq!(statuses, [200, 200, 404, 404]);
        for answer in [made, took_part] {
            assert!(path.ends_with(answer.json()["id"].as_str().unwrap()), "{path}: {}", answer.text);
        }
        path.clone()
    };
    let seen: HashSet<String> = join_all((0..64).map(read)).await.into_iter().collect();
    assert_eq!(seen.len(), paths.len());
}
