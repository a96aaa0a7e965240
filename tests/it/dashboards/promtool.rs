//! promtool: the configuration and the rules are well-formed, and each alert fires when it should and only then.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde::Deserialize;
use serde_yaml::Value;
use tests::binary;

use super::outside::tool;
use super::rules::{ALERTS, RECORDED, rules};
use super::source::root;

const TESTS: [&str; 2] = ["dashboards/prometheus/alerts_test.yml", "dashboards/prometheus/alerts_days_test.yml"];

/// Runs promtool with these arguments, or says that it is not there.
fn promtool(arguments: &[&str]) {
    let Some(mut promtool) = tool("promtool") else { return };
    let output = promtool.args(arguments).current_dir(root()).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
}

#[test]
fn the_configuration_is_well_formed() {
    promtool(&["check", "config", "dashboards/prometheus/prometheus.yml"]);
}

#[test]
fn the_configuration_is_what_the_binary_prints() {
    let mut command = Command::new(binary::path());
    let printed = command
        .args(["prometheus-config", "--rules", "recorded.yml", "--rules", "alerts.yml"])
        .output()
        .unwrap()
        .stdout;
    let printed: Value = serde_yaml::from_slice(&printed).unwrap();
    let committed = fs::read_to_string(root().join("dashboards/prometheus/prometheus.yml")).unwrap();
    assert_eq!(printed, serde_yaml::from_str::<Value>(&committed).unwrap());
}

#[test]
fn the_rules_are_well_formed() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", RECORDED, ALERTS]);
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    promtool(&["test", "rules", TESTS[0], TESTS[1]]);
}

#[derive(Deserialize)]
struct TestFile {
    tests: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    #[serde(default)]
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Value>,
}

#[test]
fn each_alert_is_tested_both_ways() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let scenarios = TESTS.iter().flat_map(|path| serde_yaml::from_str::<TestFile>(&read(path)).unwrap().tests);
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for expectation in scenarios.flat_map(|scenario| scenario.alert_rule_test) {
        let is_silent = expectation.exp_alerts.is_empty();
        if is_silent { &mut silent } else { &mut fires }.insert(expectation.alertname);
    }
    for rule in rules(ALERTS) {
        assert!(fires.contains(rule.name()), "no test in which {} fires", rule.name());
        assert!(silent.contains(rule.name()), "no test in which {} does not fire", rule.name());
    }
}
