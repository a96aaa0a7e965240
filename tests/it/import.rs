//! The import of real orders through the running service: every line accounted for, every penny where it belongs.

use std::path::Path;
use std::process::Output;

use tests::retail::{self, Sum, balances_sha256};
use tests::service::Service;
use tests::state::State;

/// The accounted lines of the closing table: name and value.
fn row<'a>(report: &'a str, name: &str) -> &'a str {
    let line = report.lines().find(|line| line.trim_start().starts_with(name));
    line.unwrap_or_else(|| panic!("no `{name}` in:\n{report}")).rsplit(' ').next().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn assert_verified(service: &Service) {
    let output = service.verify();
    assert!(output.status.success(), "{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
}

/// What the service holds is what the independent sum says.
fn assert_agrees(state: &State, sum: &Sum) {
    assert_eq!(balances_sha256(&state.customers()), sum.balances_sha256);
    assert_eq!(state.balances["shop@online-retail.example"], sum.shop_balance);
    for (kind, name) in [("purchase", "sales"), ("reversal", "reversals"), ("refund", "refunds")] {
        assert_eq!(state.count(&format!("{kind} recorded -")), sum.count.get(name).copied().unwrap_or(0), "{kind}");
    }
    assert_eq!(state.count("purchase") + state.count("reversal") + state.count("refund"), sum.accepted);
}

async fn import_twice(file: &Path) {
    let service = Service::start().await;
    let first = text(&service.import(file, &[]).output().unwrap());
    println!("{first}");
    let state = State::of(&service).await;
    assert_eq!(state.count("") - state.count("deposit"), row(&first, "accepted").parse::<u64>().unwrap());
    assert!(state.transactions.keys().all(|name| name.ends_with(" recorded -")), "{:?}", state.transactions);
    if let Some(sum) = Sum::of(file) {
        assert_eq!(row(&first, "lines read"), sum.read.to_string());
        assert_eq!(row(&first, "accepted"), sum.accepted.to_string());
        assert_eq!(row(&first, "refused"), (sum.read - sum.accepted).to_string());
        assert_agrees(&state, &sum);
    }
    assert_verified(&service);
    let rejects = std::fs::read_to_string(service.folder().join("rejects.csv")).unwrap();
    assert_eq!(rejects.lines().count() - 1, row(&first, "refused").parse::<usize>().unwrap());

    let second = text(&service.import(file, &[]).output().unwrap());
    assert_eq!(row(&second, "transactions there before this run"), row(&second, "transactions recorded"));
    assert_eq!(State::of(&service).await, state);
    service.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_arrive_to_the_penny_and_a_second_run_adds_nothing() {
    import_twice(&retail::real().unwrap_or_else(retail::fixture)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_dirty_line_is_refused_and_the_rest_arrives() {
    import_twice(&retail::fixture()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_input_gets_one_clear_line() {
    let service = Service::start().await;
    let fixture = retail::fixture();
    let table: [(&Path, &[&str], &str); 5] = [
        (&fixture, &["--key", "bnx_live_wrong"], "does not know this key"),
        (&fixture, &["--api", "ftp://127.0.0.1"], "neither http nor https"),
        (&fixture, &["--ca-file", "/nowhere.pem"], "--ca-file (BITNEXUS_CA_FILE): /nowhere.pem"),
        (Path::new("/nowhere.csv"), &[], "cannot read /nowhere.csv"),
        (Path::new("/etc/passwd"), &[], "is not an Online Retail file"),
    ];
    for (file, arguments, expected) in table {
        let mut command = service.command(&["import", "online-retail"]);
        command.arg(file).env("BITNEXUS_KEY", &service.key).env("BITNEXUS_API", &service.url).args(arguments);
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(expected), "{error}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
    }
    service.stop();
}
