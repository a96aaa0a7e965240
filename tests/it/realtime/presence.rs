//! Who is there, also where clients are connected to different processes.

use serde_json::{Value, json};

use super::kit::{Api, Client};

const ROOM: &str = "room:lobby";

/// Joins and returns the references of all who are there, by user.
async fn enter(client: &mut Client) -> Value {
    client.joined(ROOM).await;
    client.next_of("presence_state").await[4].clone()
}

/// Whom the next difference says to have come, and gone.
async fn difference(client: &mut Client) -> (Vec<String>, Vec<String>) {
    let diff = client.next_of("presence_diff").await[4].clone();
    let users = |part: &str| diff[part].as_object().unwrap().keys().cloned().collect();
    (users("joins"), users("leaves"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_who_comes_and_goes_in_three_processes() {
    let api = Api::start().await;
    let [ada, bob, eve] = [api.customer().await, api.customer().await, api.customer().await].map(|one| one.principal);
    let apis = [api.again().await, api.again().await];
    let names = [&ada, &bob, &eve].map(|one| one.user_id.to_string());
    let (mut first, mut second, mut third) =
        (api.client(&ada).await, apis[0].client(&bob).await, apis[1].client(&eve).await);
    assert_eq!(enter(&mut first).await, json!({}));
    assert_eq!(difference(&mut first).await, (vec![names[0].clone()], vec![]), "itself");
    enter(&mut second).await;
    assert_eq!(difference(&mut first).await, (vec![names[1].clone()], vec![]));
    enter(&mut third).await;
    assert_eq!(difference(&mut first).await, (vec![names[2].clone()], vec![]));
    // The third one has been told of all by a state and by differences.
    let mut heard = Vec::new();
    while heard.len() < 3 {
        heard.extend(difference(&mut third).await.0);
        heard.sort();
        heard.dedup();
    }
    second.send(json!(["1", "2", ROOM, "phx_leave", {}])).await;
    assert_eq!(difference(&mut first).await, (vec![], vec![names[1].clone()]));
    assert_eq!(difference(&mut third).await, (vec![], vec![names[1].clone()]));
    drop(third);
    assert_eq!(difference(&mut first).await, (vec![], vec![names[2].clone()]));
}

#[tokio::test]
async fn a_user_is_there_once_for_each_client() {
    let api = Api::start().await;
    let ada = api.customer().await.principal;
    let (mut first, mut second) = (api.client(&ada).await, api.client(&ada).await);
    enter(&mut first).await;
    let state = enter(&mut second).await;
    let metas = state[ada.user_id.to_string()]["metas"].as_array().unwrap().clone();
    assert_eq!(metas.len(), 1);
    let own = difference(&mut first).await;
    let other =
        first.next_of("presence_diff").await[4]["joins"][ada.user_id.to_string()]["metas"][0]["phx_ref"].clone();
    assert_eq!(own.0, [ada.user_id.to_string()]);
    assert_ne!(metas[0]["phx_ref"], other, "each has a reference of its own");
}

#[tokio::test]
async fn who_was_in_a_process_that_is_gone_is_gone() {
    let (api, ada) = {
        let api = Api::start().await;
        let ada = api.customer().await.principal;
        (api, ada)
    };
    let mut client = api.client(&ada).await;
    enter(&mut client).await;
    difference(&mut client).await;
    // A process that was killed a moment ago, as the others see it.
    let process = uuid::Uuid::new_v4();
    sqlx::query("insert into app.presence_process (process_id) values ($1)")
        .bind(process)
        .execute(&api.pool)
        .await
        .unwrap();
    sqlx::query("insert into app.presence (process_id, reference, book_id, topic, key, online_at_s) values ($1, 'r', 1, $2, 'ghost', 0)")
        .bind(process)
        .bind(ROOM)
        .execute(&api.pool)
        .await
        .unwrap();
    assert_eq!(difference(&mut client).await, (vec!["ghost".to_owned()], vec![]));
    assert_eq!(difference(&mut client).await, (vec![], vec!["ghost".to_owned()]), "nothing is heard of it");
}
