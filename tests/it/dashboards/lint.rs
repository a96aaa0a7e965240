//! What holds for every dashboard, rule and runbook, by reading them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;
use tests::binary;

use super::expr;
use super::rules::{ALERTS, RECORDED, Rule, rules};
use super::source::{files, root};

/// Labels that Prometheus, its discovery, a supervisor or our alerts give.
const LABELS_EVERYWHERE: [&str; 9] =
    ["instance", "job", "role", "worker", "le", "alertname", "alertstate", "severity", "component"];

/// What Prometheus itself makes.
const METRICS_OF_PROMETHEUS: [&str; 3] = ["up", "ALERTS", "scrape_duration_seconds"];

/// A committed dashboard, as Grafana reads it.
fn committed() -> Vec<Value> {
    let read = |path| serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files("dashboards/grafana/dashboards", "json").into_iter().map(read).collect()
}

fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// Every expression with where it stands.
fn expressions() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for dashboard in committed() {
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{}: {}", dashboard["uid"], panel["title"]);
                all.push((place, target["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    let ruled = rules(RECORDED).into_iter().chain(rules(ALERTS));
    all.extend(ruled.map(|rule| (rule.name().to_owned(), rule.expr)));
    all
}

/// The metrics of docs/METRICS.md with the labels of each: the first and the fourth of a row's seven cells.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join("docs/METRICS.md")).unwrap();
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() != 9 {
            continue;
        }
        // What stands in brackets are a label's values.
        let names = cells[4].split('(').map(|part| part.rsplit(')').next().unwrap());
        let labels = names.flat_map(|part| part.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
        found.insert(cells[1].trim_matches('`').to_owned(), labels);
    }
    found
}

/// The family that a series belongs to.
fn family(series: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix)).unwrap_or(series)
}

#[test]
fn every_panel_says_what_it_shows_and_what_for() {
    for dashboard in committed() {
        for panel in panels(&dashboard) {
            let place = format!("{}: {}", dashboard["uid"], panel["title"]);
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            assert!(!text(&panel["title"]).is_empty(), "{place}: no title");
            assert!(text(&panel["description"]).len() > 40, "{place}: what is it for?");
            assert!(text(&panel["description"]).ends_with('.'), "{place}: a description is made of sentences");
            assert!(!text(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(), "{place}: no unit");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{place}");
                assert!(!text(&target["legendFormat"]).is_empty() || panel["type"] == "heatmap", "{place}: no legend");
            }
        }
    }
}

#[test]
fn rates_follow_the_time_range_and_every_choice_counts() {
    for dashboard in committed() {
        let variables = dashboard["templating"]["list"].as_array().unwrap().iter();
        let names: Vec<&str> = variables.map(|variable| variable["name"].as_str().unwrap()).collect();
        let mut used = BTreeSet::from(["datasource"]);
        for panel in panels(&dashboard) {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                let ranges = expression.split('[').skip(1).map(|rest| rest.split(']').next().unwrap());
                for range in ranges {
                    assert!(["$__rate_interval", "$__range"].contains(&range), "{}: {expression}", panel["title"]);
                }
                let choices = expression.split('$').skip(1).filter(|rest| !rest.starts_with("__"));
                for choice in choices {
                    let name = choice.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap();
                    used.insert(names.iter().find(|&&known| known == name).unwrap_or_else(|| panic!("no ${name}")));
                }
            }
        }
        assert_eq!(used.len(), names.len(), "{}: {names:?} can be chosen, {used:?} are used", dashboard["uid"]);
    }
}

#[test]
fn counters_are_read_as_rates() {
    for (place, expression) in expressions() {
        for selector in expr::names(&expression).instant {
            let name = selector.split('{').next().unwrap();
            let only_rises = name.ends_with("_total") || family(name) != name;
            assert!(!only_rises, "{place}: {selector} only ever rises, and is read as it stands");
        }
    }
}

#[test]
fn every_metric_and_label_is_documented() {
    let documented = documented();
    let recorded: Vec<Rule> = rules(RECORDED);
    for (place, expression) in expressions() {
        let names = expr::names(&expression);
        let mut labels: BTreeSet<String> = LABELS_EVERYWHERE.map(str::to_owned).into();
        for metric in &names.metrics {
            if let Some(rule) = recorded.iter().find(|rule| rule.name() == metric) {
                labels.extend(expr::names(&rule.expr).labels);
            } else if !METRICS_OF_PROMETHEUS.contains(&metric.as_str()) {
                let known = documented.get(family(metric)).or_else(|| documented.get(metric));
                let known = known.unwrap_or_else(|| panic!("{place}: docs/METRICS.md does not know {metric}"));
                labels.extend(known.iter().cloned());
            }
        }
        for label in &names.labels {
            assert!(labels.contains(label), "{place}: no metric here has the label {label}");
        }
    }
}

#[test]
fn every_documented_metric_is_watched() {
    let read = expressions().into_iter().flat_map(|(_, expression)| expr::names(&expression).metrics);
    let read: BTreeSet<String> = read.map(|metric| family(&metric).to_owned()).collect();
    let documented = documented();
    let unread: Vec<&String> = documented.keys().filter(|&name| !read.contains(name)).collect();
    assert!(unread.is_empty(), "in no panel and no rule: {unread:?}");
}

#[test]
fn every_recorded_series_is_read() {
    let read: BTreeSet<String> =
        expressions().into_iter().flat_map(|(_, expression)| expr::names(&expression).metrics).collect();
    for rule in rules(RECORDED) {
        assert!(read.contains(rule.name()), "nobody reads {}", rule.name());
    }
}

#[test]
fn links_lead_somewhere() {
    let dashboards = committed();
    let uids: Vec<&str> = dashboards.iter().map(|dashboard| dashboard["uid"].as_str().unwrap()).collect();
    for dashboard in &dashboards {
        assert_eq!(dashboard["links"][0]["tags"][0], "bitnexus");
        for link in panels(dashboard).filter_map(|panel| panel["links"].as_array()).flatten() {
            let uid = link["url"].as_str().unwrap().trim_start_matches("/d/").split('?').next().unwrap();
            assert!(uids.contains(&uid), "{}: {link}", dashboard["uid"]);
        }
    }
}

#[test]
fn every_alert_says_what_it_means_and_has_a_runbook() {
    let mut named = BTreeSet::new();
    for rule in rules(ALERTS) {
        let (name, says) = (rule.name(), |key: &str| rule.annotations.get(key).cloned().unwrap_or_default());
        assert!(["critical", "warning", "info"].contains(&rule.labels["severity"].as_str()), "{name}");
        assert!(!says("summary").is_empty() && says("description").ends_with('.'), "{name}");
        assert!(rule.labels.contains_key("component"), "{name}: whose is it?");
        let runbook = format!("docs/runbooks/{name}.md");
        assert!(says("runbook_url").ends_with(&runbook), "{name}: {}", says("runbook_url"));
        let text = fs::read_to_string(root().join(&runbook)).unwrap_or_else(|_| panic!("{runbook} is missing"));
        for heading in ["## What it means", "## What users see", "## Look at", "## Do"] {
            assert!(text.contains(heading), "{runbook} lacks {heading}");
        }
        named.insert(format!("{name}.md"));
    }
    for file in files("docs/runbooks", "md") {
        let file = file.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(file == "README.md" || named.contains(&file), "docs/runbooks/{file} belongs to no alert");
    }
}

#[test]
fn every_command_in_a_runbook_exists() {
    let mut helps: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for file in files("docs/runbooks", "md") {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.starts_with("bitnexus ")) {
            let line = line.split(" #").next().unwrap().split('|').next().unwrap();
            let (command, flags) = command_and_flags(line);
            let help = helps.entry(command.clone()).or_insert_with(|| help(&command));
            for flag in flags {
                assert!(help.contains(&flag), "{}: `{line}`: {command:?} has no {flag}", file.display());
            }
        }
    }
    assert!(helps.len() > 5, "{helps:?}");
}

/// The subcommands at the beginning of a line, and the flags in it.
fn command_and_flags(line: &str) -> (Vec<String>, Vec<String>) {
    const LEAVES: [&str; 7] = ["up", "api", "worker", "migrate", "audit", "doctor", "prometheus-config"];
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    let depth = match words[0] {
        flag if flag.starts_with("--") => 0,
        leaf if LEAVES.contains(&leaf) => 1,
        _ => 2,
    };
    let flags = words.iter().filter(|word| word.starts_with("--"));
    let flags = flags.map(|word| word.split('=').next().unwrap().to_owned()).collect();
    (words.into_iter().take(depth).map(str::to_owned).collect(), flags)
}

fn help(command: &[String]) -> String {
    let output = Command::new(binary::path()).args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
