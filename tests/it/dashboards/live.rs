//! Every expression of every panel and every rule returns data: a real Prometheus finds a real service by its own
//! discovery and scrapes it under load.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::service::Service;

use super::expr;
use super::load::Load;
use super::prometheus::Prometheus;
use super::rules::{ALERTS, RECORDED, rules};
use super::source::files;

/// How long it may take until everything has data, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(75);

/// Prometheus tells nobody that it has scraped.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Metrics that a service need not tell, by how their names begin, and why.
const MAY_BE_ABSENT: [(&str, &str); 1] = [("ALERTS", "is there only while an alert fires or waits to")];

/// An expression that has to return data.
struct Wanted {
    place: String,
    expression: String,
    /// Why there may be none.
    excuse: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_expression_returns_data_from_a_service_under_load() {
    let Some(_) = super::outside::tool("prometheus") else { return };
    let service = Service::start().await;
    let load = Load::start(&service).await;
    let prometheus = Prometheus::start(&service.url).await.expect("it was there a moment ago");
    let mut wanted = panels();
    for rule in rules(RECORDED).into_iter().chain(rules(ALERTS)) {
        // An alert gives no data while all is well, but what it looks at must be there.
        wanted.extend(selectors(rule.name(), &rule.expr));
    }
    let (in_all, started) = (wanted.len(), Instant::now());
    while started.elapsed() < PATIENCE && wanted.iter().any(|one| one.excuse.is_none()) {
        let mut missing = Vec::new();
        for one in wanted {
            if prometheus.numbers(&one.expression).await == 0 {
                missing.push(one);
            }
        }
        wanted = missing;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let (excused, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|one| one.excuse.is_some());
    assert!(missing.is_empty(), "no data:\n{}\n{}", told(&missing), prometheus.log());
    check_rules(&prometheus).await;
    check_targets(&prometheus).await;
    println!("{in_all} expressions in {:?}; without data:\n{}", started.elapsed(), told(&excused));
    drop(load);
    service.stop();
}

/// A line for each.
fn told(wanted: &[Wanted]) -> String {
    let line = |one: &Wanted| {
        let excuse = one.excuse.as_deref().unwrap_or("no excuse");
        format!("{}: {} ({excuse})", one.place, one.expression)
    };
    wanted.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The expressions of all panels, with all there is chosen.
fn panels() -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for path in files("dashboards/grafana/dashboards", "json") {
        let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap().iter();
        for panel in panels.filter(|panel| panel["type"] != "row") {
            let excuse = panel["fieldConfig"]["defaults"]["noValue"].as_str().map(str::to_owned);
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{}: {}", dashboard["uid"], panel["title"]);
                let expression = chosen(target["expr"].as_str().unwrap());
                if excuse.is_some() {
                    wanted.extend(selectors(&place, &expression));
                }
                wanted.push(Wanted { place, expression, excuse: excuse.clone() });
            }
        }
    }
    wanted
}

/// As Grafana would ask it with everything chosen and a short range.
fn chosen(expression: &str) -> String {
    let mut expression = expression.replace("$__rate_interval", "30s").replace("$__range", "5m");
    while let Some(at) = expression.find("\"$") {
        let end = at + 1 + expression[at + 1..].find('"').expect("a matcher ends");
        expression.replace_range(at..=end, "\".*\"");
    }
    expression
}

/// What an expression reads.
fn selectors(place: &str, expression: &str) -> Vec<Wanted> {
    let excuse = |selector: &str| MAY_BE_ABSENT.iter().find(|(beginning, _)| selector.starts_with(beginning));
    let wanted = |selector: String| {
        let excuse = excuse(&selector).map(|(_, why)| (*why).to_owned());
        Wanted { place: place.to_owned(), expression: selector, excuse }
    };
    expr::names(expression).selectors.into_iter().map(wanted).collect()
}

/// Prometheus has evaluated each rule, and none failed.
async fn check_rules(prometheus: &Prometheus) {
    let answer = prometheus.ask("rules", &[]).await;
    let groups = answer["data"]["groups"].as_array().unwrap();
    let evaluated: Vec<&Value> = groups.iter().flat_map(|group| group["rules"].as_array().unwrap()).collect();
    assert_eq!(evaluated.len(), rules(RECORDED).len() + rules(ALERTS).len());
    for rule in evaluated {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

/// Discovery found both roles, and both answer.
async fn check_targets(prometheus: &Prometheus) {
    let answer = prometheus.ask("targets", &[("state", "active")]).await;
    let targets = answer["data"]["activeTargets"].as_array().unwrap();
    let mut roles: Vec<&str> = targets.iter().filter_map(|target| target["labels"]["role"].as_str()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["api", "worker"], "{answer:#}");
}
