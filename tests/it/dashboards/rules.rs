//! The rules of Prometheus, as their files say.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;

use super::source::root;

pub(super) const ALERTS: &str = "dashboards/prometheus/alerts.yml";
pub(super) const RECORDED: &str = "dashboards/prometheus/recorded.yml";

#[derive(Debug, Deserialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

/// An alert, or an expression that is recorded.
#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    alert: Option<String>,
    record: Option<String>,
    pub(super) expr: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Rule {
    /// The alert, or what is recorded.
    pub(super) fn name(&self) -> &str {
        self.alert.as_deref().or(self.record.as_deref()).expect("a rule is one or the other")
    }
}

/// The rules in a file.
pub(super) fn rules(path: &str) -> Vec<Rule> {
    let text = fs::read_to_string(root().join(path)).expect("the file is there");
    let file: File = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    file.groups.into_iter().flat_map(|group| group.rules).collect()
}
