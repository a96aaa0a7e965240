//! A join may say what was heard last, and gets what was missed: all of it, once, in order.

use serde_json::{Value, json};

use super::kit::{Api, Client};

/// The numbers of the next events.
async fn numbers(client: &mut Client, count: usize) -> Vec<i64> {
    let mut found = Vec::new();
    while found.len() < count {
        found.push(client.next_of("test.told").await[4]["data"]["n"].as_i64().unwrap());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_gets_what_was_missed_from_any_process() {
    let api = Api::start().await;
    let other = api.again().await;
    let (ada, bob) = (api.customer().await.principal, api.customer().await.principal);
    let [topic, bobs] = [&ada, &bob].map(|who| format!("user:{}", who.user_id));
    let mut client = api.client(&ada).await;
    let begun = client.joined(&topic).await;
    api.publish("test.told", std::slice::from_ref(&topic), json!({"n": 0})).await;
    let last = client.next_of("test.told").await[4]["id"].clone();
    drop(client);
    for n in 1..=5 {
        api.publish("test.told", std::slice::from_ref(&topic), json!({"n": n})).await;
        api.publish("test.told", std::slice::from_ref(&bobs), json!({"n": -n})).await;
    }
    for api in [&api, &other] {
        let mut client = api.client(&ada).await;
        let (status, response) = client.join(&topic, json!({"last_event_id": last})).await;
        // What has no number yet comes as if it happened now.
        assert_eq!((status.as_str(), &response["complete"]), ("ok", &json!(true)), "{response}");
        assert_eq!(numbers(&mut client, 5).await, [1, 2, 3, 4, 5]);
    }
    let mut client = other.client(&ada).await;
    client.join(&topic, json!({"last_event_id": begun})).await;
    assert_eq!(numbers(&mut client, 6).await, [0, 1, 2, 3, 4, 5], "from where it joined, though nothing had come");
    api.publish("test.told", std::slice::from_ref(&topic), json!({"n": 6})).await;
    assert_eq!(numbers(&mut client, 1).await, [6]);
}

/// The last commit of all may be longer than what is read at once; its rest needs no other commit to come.
#[tokio::test]
async fn a_commit_of_many_pages_comes_to_its_end() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let topic = format!("user:{}", ada.user_id);
    let mut client = api.client(&ada).await;
    client.joined(&topic).await;
    let mut tx = api.pool.begin().await.unwrap();
    let event = |n: i64| {
        let topic = if n == 4_500 { topic.clone() } else { "products".to_owned() };
        domain::events::Event::new("test.told", [topic], &json!({"n": n}))
    };
    let events: Vec<_> = (0..=4_500).map(event).collect();
    domain::events::publish(&mut tx, ledger::Book::MAIN, &events).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(numbers(&mut client, 1).await, [4_500]);
}

#[tokio::test]
async fn who_missed_more_than_can_be_told_hears_so() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let topic = format!("user:{}", ada.user_id);
    let mut client = api.client(&ada).await;
    let begun = client.joined(&topic).await;
    let mut tx = api.pool.begin().await.unwrap();
    let event = |n: i64| domain::events::Event::new("test.told", [topic.clone()], &json!({"n": n}));
    let events: Vec<_> = (0..1_001).map(event).collect();
    domain::events::publish(&mut tx, ledger::Book::MAIN, &events).await.unwrap();
    tx.commit().await.unwrap();
    numbers(&mut client, 1_001).await;
    for wrong in [begun.as_str(), "99999999-1", "yesterday", "0-0-0"] {
        let mut client = api.client(&ada).await;
        let (status, response) = client.join(&topic, json!({"last_event_id": wrong})).await;
        let shown = (status.as_str(), &response["replayed"], &response["complete"]);
        assert_eq!(shown, ("ok", &json!(0), &json!(false)), "{wrong}");
        let now = response["last_event_id"].as_str().unwrap().to_owned();
        let (_, again) = client.join(&topic, json!({"last_event_id": now})).await;
        assert_eq!((&again["replayed"], &again["complete"]), (&json!(0), &json!(true)), "it goes on from there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn between_what_was_missed_and_what_comes_there_is_no_seam() {
    const EVENTS: i64 = 300;
    let api = Api::start().await;
    let other = api.again().await;
    let ada = api.customer().await.principal;
    let topic = format!("user:{}", ada.user_id);
    let begun = api.client(&ada).await.joined(&topic).await;
    let publishes = async {
        for n in 0..EVENTS {
            api.publish("test.told", std::slice::from_ref(&topic), json!({"n": n})).await;
        }
    };
    let reads = async {
        let (mut last, mut found) = (json!(begun), Vec::new());
        while found.len() < usize::try_from(EVENTS).unwrap() {
            // Here and there in turn, and each time it leaves in the middle of things.
            let from = if found.len() % 2 == 0 { &api } else { &other };
            let mut client = from.client(&ada).await;
            client.join(&topic, json!({"last_event_id": last})).await;
            for _ in 0..1 + found.len() % 7 {
                if found.len() < usize::try_from(EVENTS).unwrap() {
                    let frame = client.next_of("test.told").await;
                    found.push(frame[4]["data"]["n"].clone());
                    last = frame[4]["id"].clone();
                }
            }
        }
        found
    };
    let ((), found) = tokio::join!(publishes, reads);
    let wanted: Vec<Value> = (0..EVENTS).map(Value::from).collect();
    assert_eq!(found, wanted, "each of them once, in order");
}
