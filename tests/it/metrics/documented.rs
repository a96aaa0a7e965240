//! docs/METRICS.md against the running service, in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::exposition::{Exposition, Family};
use super::kit::Roles;

/// A row of a table of metrics.
#[derive(Debug)]
struct Row {
    kind: String,
    /// The labels, with their values where the row lists them.
    labels: BTreeMap<String, BTreeSet<String>>,
    from: Vec<String>,
    /// It stands in a section that is not built yet.
    is_planned: bool,
}

/// The metrics of docs/METRICS.md.
fn documented() -> BTreeMap<String, Row> {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md"));
    let (mut rows, mut is_planned, mut is_table) = (BTreeMap::new(), false, false);
    for line in text.lines() {
        if line.starts_with("## ") {
            (is_planned, is_table) = (false, false);
        } else if line.starts_with("Planned") {
            is_planned = true;
        } else if line.starts_with("| name | type |") {
            is_table = true;
        } else if is_table && line.starts_with("| `") {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            assert_eq!(cells.len(), 7, "{line}");
            let row = Row {
                kind: cells[1].to_owned(),
                labels: labels(cells[3]),
                from: cells[4].split(", ").map(str::to_owned).collect(),
                is_planned,
            };
            assert!(cells[5].ends_with('.'), "{line}");
            assert!(rows.insert(cells[0].trim_matches('`').to_owned(), row).is_none(), "{line}: twice");
        }
    }
    rows
}

/// Reads `` `queue`, `outcome` (`ready`, `poison`) ``; what is explained in words has no list of values.
fn labels(cell: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut labels = BTreeMap::new();
    let mut rest = cell;
    while let Some(start) = rest.find('`') {
        let end = start + 1 + rest[start + 1..].find('`').unwrap();
        let name = rest[start + 1..end].to_owned();
        rest = &rest[end + 1..];
        let mut values = BTreeSet::new();
        if let Some(inner) = rest.strip_prefix(" (") {
            let (listed, after) = inner.split_once(')').unwrap();
            if listed.starts_with('`') {
                values = listed.split(", ").map(|value| value.trim_matches('`').to_owned()).collect();
            }
            rest = after;
        }
        labels.insert(name, values);
    }
    labels
}

/// Which pages a metric stands on.
fn pages(row: &Row) -> BTreeSet<&'static str> {
    let of = |from: &String| match from.as_str() {
        "api" | "database" => ["api"].as_slice(),
        "worker" | "supervisor" => &["worker"],
        "process" | "any" => &["api", "worker"],
        other => panic!("{other}: nobody of that name"),
    };
    row.from.iter().flat_map(of).copied().collect()
}

fn compare(name: &str, row: &Row, family: &Family, page: &str) {
    assert_eq!(family.kind, row.kind, "{name}: its type");
    assert!(!family.help.is_empty(), "{name}: no help");
    assert!(pages(row).contains(page), "{name} is told by the {page}; the page says {:?}", row.from);
    assert!(!family.samples.is_empty(), "{name}: no series");
    let is_of_child = page == "worker" && row.from.iter().any(|from| from == "worker");
    for sample in &family.samples {
        let mut labels: BTreeSet<&str> = sample.labels.keys().map(String::as_str).collect();
        labels.remove("le");
        if is_of_child {
            // One that also the supervisor has stands there without it.
            labels.remove("worker");
        }
        let expected: BTreeSet<&str> = row.labels.keys().map(String::as_str).collect();
        assert_eq!(labels, expected, "{name}: its labels");
        for (label, values) in row.labels.iter().filter(|(_, values)| !values.is_empty()) {
            let value = &sample.labels[label];
            assert!(values.contains(value), "{name}: {label}=\"{value}\" is not on the list");
        }
    }
}

fn check(page: &Exposition, which: &str, rows: &BTreeMap<String, Row>) {
    for (name, family) in &page.0 {
        let row = rows.get(name).unwrap_or_else(|| panic!("{name} of the {which} is not in docs/METRICS.md"));
        compare(name, row, family, which);
    }
    for (name, row) in rows.iter().filter(|(_, row)| !row.is_planned && pages(row).contains(which)) {
        assert!(page.0.contains_key(name), "{name} is in docs/METRICS.md and not told by the {which}");
        for (label, values) in &row.labels {
            let told: BTreeSet<&String> = page.0[name].samples.iter().filter_map(|one| one.labels.get(label)).collect();
            let missing: Vec<_> = values.iter().filter(|value| !told.contains(value)).collect();
            assert!(missing.is_empty(), "{name}: no series for {label} {missing:?}");
        }
    }
}

#[tokio::test]
async fn what_is_told_is_documented_and_what_is_documented_is_told() {
    let (roles, rows) = (Roles::start().await, documented());
    assert!(rows.len() > 80, "the tables are read");
    // Every series is there before anything has happened.
    check(&roles.page(&roles.api).await.unwrap(), "api", &rows);
    check(&roles.page(&roles.worker).await.unwrap(), "worker", &rows);

    let (ada, ben) = (roles.customer().await, roles.customer().await);
    assert_eq!(roles.deposit(&ada, "20.00").await["status"], "recorded");
    let amount = json!({ "amount": "30.00", "currency": "GBP" });
    let too_much = json!({ "type": "transfer", "from": ada.wallet.0, "to": ben.wallet.0, "amount": amount });
    let answer: serde_json::Value = roles.post("/transactions", too_much).await.json().await.unwrap();
    assert_eq!(answer["status"], "rejected", "{answer}");
    assert_eq!(roles.post("/no/such/path", json!({})).await.status(), 404);
    assert_eq!(roles.post("/schedules/ledger.reconcile.full/run", json!({})).await.status(), 202);

    let kind = ("kind", "ledger.record_transaction");
    let (api, worker) = (&roles.api, &roles.worker);
    for (role, name, labels) in [
        (
            api,
            "http_requests_total",
            &[("route", "/api/v1/transactions"), ("method", "POST"), ("status", "200")] as &[_],
        ),
        (api, "http_request_duration_seconds_count", &[("route", "/api/v1/transactions"), ("method", "POST")]),
        (api, "queue_jobs_enqueued_total", &[kind]),
        (api, "queue_jobs_ended_total", &[("queue", "ledger"), ("outcome", "succeeded")]),
        (api, "queue_worker_processes", &[]),
        (api, "queue_schedule_next_tick_timestamp_seconds", &[("schedule", "ledger.reconcile.full")]),
        (api, "ledger_checkpoint_size", &[]),
        (api, "ledger_log_size", &[]),
        (api, "ledger_reconcile_last_success_timestamp_seconds", &[]),
        (api, "postgres_partitions_ahead", &[]),
        (api, "postgres_connections", &[("state", "idle")]),
        (api, "postgres_table_bytes", &[("table", "queue.job_history")]),
        (api, "process_cpu_seconds_total", &[]),
        (worker, "ledger_postings_total", &[("outcome", "created")]),
        (worker, "ledger_refusals_total", &[("reason", "insufficient_funds")]),
        (worker, "ledger_checkpoints_total", &[]),
        (worker, "ledger_reconciles_total", &[]),
        (worker, "queue_jobs_settled_total", &[kind, ("outcome", "succeeded")]),
        (worker, "queue_attempts_total", &[kind]),
        (worker, "queue_job_wait_seconds_count", &[kind]),
        (worker, "queue_claim_size_count", &[]),
        (worker, "worker_processes", &[]),
        (worker, "worker_memory_bytes", &[("worker", "2")]),
        (worker, "worker_cpu_seconds_total", &[("worker", "1")]),
    ] {
        roles.page_when(&format!("{name}{labels:?} to count"), role, |page| page.sum(name, labels) > 0.0).await;
    }
    check(&roles.page(api).await.unwrap(), "api", &rows);
    check(&roles.page(worker).await.unwrap(), "worker", &rows);
}
