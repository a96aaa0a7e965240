//! The retail import's statement: what the shop's bank would list, made from the orders by a script that shares no code with
//! us, reconciles whole with what the service recorded, also when its workers are killed while it runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use reqwest::Client;
use serde_json::{Value, json};
use tests::processes::Role;
use tests::retail::{self, Sum};
use tests::service::Service;

/// The statement as the script writes it; nothing when this machine has no Python 3.
fn statement(file: &Path) -> Option<Vec<u8>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sum_online_retail.py");
    let Ok(output) = Command::new("python3").arg(script).arg(file).arg("--statement").output() else {
        eprintln!("skipped the retail statement: python3 is not on this machine");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

async fn get(service: &Service, path: &str) -> Value {
    let answer = Client::new().get(format!("{}/api/v1/{path}", service.url)).bearer_auth(&service.key).send().await;
    serde_json::from_str(&answer.unwrap().text().await.unwrap()).unwrap()
}

fn pounds(pence: i128) -> String {
    ledger::Money { minor: pence, currency: ledger::Currency::GBP }.to_decimal_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shops_statement_reconciles_whole_though_workers_are_killed() {
    let file = retail::real().unwrap_or_else(retail::fixture);
    let (Some(lines), Some(sum)) = (statement(&file), Sum::of(&file)) else { return };
    let mut service = Service::start().await;
    let imported = service.import(&file, &[]).output().unwrap();
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    let path = service.folder().join("statement.csv");
    fs::write(&path, &lines).unwrap();

    let shop = get(&service, "users?email=shop%40online-retail.example").await;
    let account = shop["items"][0]["wallets"][0]["account_id"].as_str().unwrap().to_owned();
    let deposit = sum.deposits - sum.moved.get("sales").copied().unwrap_or(0);
    let (opening, closing) = (pounds(deposit), pounds(sum.shop_balance));
    let arguments = ["ledger", "statement", "import", "statement.csv", "--account", &account, "--from", "2010-11-28"];
    let rest = ["--to", "2010-12-31", "--opening", &opening, "--closing", &closing];
    let brought = service.command(&arguments).args(rest).output().unwrap();
    assert!(brought.status.success(), "{}", String::from_utf8_lossy(&brought.stderr));

    let asked = Client::new()
        .post(format!("{}/api/v1/ledger/reconciliations", service.url))
        .bearer_auth(&service.key)
        .header("content-type", "application/json")
        .body(json!({ "kind": "full" }).to_string());
    let asked: Value = serde_json::from_str(&asked.send().await.unwrap().text().await.unwrap()).unwrap();
    let run = format!("ledger/reconciliations/{}", asked["id"].as_str().unwrap());
    while get(&service, &run).await["state"] == "waiting" {
        tokio::task::yield_now().await;
    }
    for worker in service.processes().into_iter().filter(|process| process.role == Role::Worker) {
        service.kill(&worker);
    }
    let ended = loop {
        let run = get(&service, &run).await;
        if run["ended_at"].is_string() {
            break run;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(ended["state"], "clean", "{ended}");
    println!(
        "{} snapshots, {} rows, {} to {}",
        ended["snapshots"], ended["scanned"], ended["started_at"], ended["ended_at"]
    );
    let statement = &get(&service, "ledger/statements").await["items"][0];
    assert_eq!((&statement["lines"], &statement["matched_lines"]), (&json!(sum.accepted), &json!(sum.accepted)));

    let report = service.command(&["ledger", "reconcile", "--json"]).output().unwrap();
    assert!(report.status.success(), "{}", String::from_utf8_lossy(&report.stdout));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((&report["state"], &report["kind"]), (&json!("clean"), &json!("incremental")));
    service.stop();
}
