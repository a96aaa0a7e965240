//! Prometheus is told which roles there are: all that run, and none that has gone.

use rustix::process::Signal;
use serde_json::{Value, json};
use tests::wait::until_async;

use super::kit::{PATIENCE, Roles, free_address};

async fn targets(roles: &Roles) -> Vec<(String, String)> {
    let answer = roles.http.get(format!("http://{}/metrics/targets", roles.api)).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    let groups: Value = answer.json().await.unwrap();
    let target = |group: &Value| {
        assert_eq!(group["labels"]["__scheme__"], "http", "{group}");
        (group["labels"]["role"].as_str().unwrap().to_owned(), group["targets"][0].as_str().unwrap().to_owned())
    };
    groups.as_array().unwrap().iter().map(target).collect()
}

async fn until_targets(roles: &Roles, mut expected: Vec<(&str, &str)>) {
    expected.sort_unstable();
    until_async(&format!("{expected:?}"), PATIENCE, async || {
        let mut told = targets(roles).await;
        told.sort_unstable();
        let told: Vec<(&str, &str)> = told.iter().map(|(role, address)| (role.as_str(), address.as_str())).collect();
        (told == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn every_role_that_runs_is_listed_and_none_that_has_gone() {
    let mut roles = Roles::start().await;
    let (api, worker) = (roles.api.clone(), roles.worker.clone());
    until_targets(&roles, vec![("api", &api), ("worker", &worker)]).await;

    let second = free_address();
    let mut command = roles.command(&["worker", "--processes", "1", "--metrics-advertise", "pool.example:9464"]);
    command.env("METRICS_LISTEN", &second);
    let place = roles.spawn(command);
    until_targets(&roles, vec![("api", &api), ("worker", &worker), ("worker", "pool.example:9464")]).await;
    roles.signal(place, Signal::TERM);
    roles.ended(place).await;
    until_targets(&roles, vec![("api", &api), ("worker", &worker)]).await;

    // One that was killed says nothing of it: it goes when it has not been heard of.
    roles.signal(1, Signal::KILL);
    roles.ended(1).await;
    let aged = "update queue.instance set heartbeat_at = heartbeat_at - interval '31 seconds' where role = 'worker'";
    sqlx::query(aged).execute(&roles.pool).await.unwrap();
    assert_eq!(targets(&roles).await, [("api".to_owned(), api.clone())]);
    assert_eq!(roles.post("/metrics/targets", json!({})).await.status(), 404);
}

#[tokio::test]
async fn the_configuration_for_prometheus_asks_the_api() {
    let output = std::process::Command::new(tests::binary::path())
        .args(["prometheus-config", "--api", "http://10.0.0.1:4000", "--rules", "rules/*.yml"])
        .env_remove("DATABASE_URL")
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    assert!(printed.contains("- url: 'http://10.0.0.1:4000/metrics/targets'\n"), "{printed}");
    assert!(printed.contains("rule_files:\n  - 'rules/*.yml'\n"), "{printed}");
}
