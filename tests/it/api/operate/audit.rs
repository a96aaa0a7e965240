//! What was done by whom, to accounts and to the queue, in one list.

use serde_json::json;

use crate::api::harness::Api;

#[tokio::test]
async fn both_audits_are_one_list_by_time() {
    let api = Api::start().await;
    let operator = api.operator().await;
    let record = async |target: &str| {
        let mut conn = api.pool.acquire().await.unwrap();
        domain::audit::record(&mut conn, &api.principal, "user.suspend", target, json!({ "why": "test" }))
            .await
            .unwrap();
    };
    record("one").await;
    operator.post("/api/v1/queues/products/pause", &json!({})).await;
    record("two").await;
    operator.post("/api/v1/queues/products/resume", &json!({})).await;
    let actions =
        async |query: &str| {
            let (mut path, mut seen) = (format!("/api/v1/audit?{query}"), Vec::new());
            loop {
                let answer = operator.get(&path).await;
                seen.extend(answer.json()["items"].as_array().unwrap().iter().map(|entry| {
                    format!("{} {}", entry["action"].as_str().unwrap(), entry["target"].as_str().unwrap())
                }));
                let Some(link) = answer.header("link") else { return seen };
                path = link.split(['<', '>']).nth(1).unwrap().to_owned();
            }
        };
    let all = ["resume_queue products", "user.suspend two", "pause_queue products", "user.suspend one"];
    assert_eq!(actions("limit=1").await, all);
    assert_eq!(actions("area=accounts").await, [all[1], all[3]]);
    assert_eq!(actions("area=queue&action=pause_queue").await, [all[2]]);
    assert_eq!(actions("target=products&to=2000-01-01T00:00:00Z").await, [] as [&str; 0]);
    assert_eq!(actions(&format!("actor={}", api.principal.user_id)).await, [all[1], all[3]]);
    assert_eq!(actions("actor=cli:root").await, [] as [&str; 0]);
}
