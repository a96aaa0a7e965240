//! What a dashboard's source says: `dashboards/grafana/source/*.yaml`, strictly read.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A dashboard, as people write it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dashboard {
    /// Its name in links; also the name of its file.
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) description: String,
    /// What can be chosen above the panels.
    #[serde(default)]
    pub(super) variables: Vec<Variable>,
    pub(super) rows: Vec<Row>,
}

/// A choice of label values; several, and all of them at first.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) title: String,
    /// The series whose label gives the choices.
    pub(super) from: String,
    pub(super) label: String,
}

/// Panels under one heading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) panels: Vec<Panel>,
}

/// One panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
    /// What it is for, and what to do when it looks wrong.
    pub(super) description: String,
    #[serde(default)]
    pub(super) kind: Kind,
    /// A unit's id in Grafana.
    pub(super) unit: String,
    /// Colours with the values between them, as in `[green, 60, orange, 300, red]`.
    #[serde(default)]
    pub(super) thresholds: Vec<Step>,
    /// Words for values, such as 1 is "up".
    #[serde(default)]
    pub(super) words: Vec<(String, String, String)>,
    /// Of the 24 columns.
    pub(super) width: Option<u32>,
    #[serde(default)]
    pub(super) stack: bool,
    /// The end of the axis, where there is a natural one.
    pub(super) max: Option<f64>,
    /// The dashboard that tells more.
    pub(super) link: Option<String>,
    /// Why there may be nothing to see; shown in its place.
    pub(super) empty: Option<String>,
    pub(super) queries: Vec<Query>,
}

/// How a panel shows its values.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    #[default]
    Timeseries,
    Stat,
    Table,
    Heatmap,
}

/// A colour, or the value from which the next one counts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Step {
    From(f64),
    Colour(String),
}

/// One expression.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) expr: String,
    /// What its series are called; in a table, the column's heading.
    #[serde(default)]
    pub(super) legend: String,
    /// The unit of this column of a table, if not the panel's.
    pub(super) unit: Option<String>,
}

/// The top folder of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// The files with this ending right in a folder, in order.
pub(super) fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of ours can be read");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    paths.sort();
    paths
}

/// All dashboards, by the names of their files.
pub(super) fn dashboards() -> Vec<Dashboard> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source is UTF-8");
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    files("dashboards/grafana/source", "yaml").into_iter().map(read).collect()
}
