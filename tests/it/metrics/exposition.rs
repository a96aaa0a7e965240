//! Reads Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

/// A page of metrics.
#[derive(Debug, Default)]
pub(super) struct Exposition(pub(super) BTreeMap<String, Family>);

/// One metric of it.
#[derive(Debug, Default)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

/// One of its values; of a histogram, of its buckets, sum or count.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) value: f64,
}

impl Exposition {
    pub(super) fn parse(text: &str) -> Exposition {
        let mut page = Exposition::default();
        let mut current = String::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a metric has a help text");
                let known = page.0.insert(name.to_owned(), Family { help: help.to_owned(), ..Family::default() });
                assert!(known.is_none(), "{name} is described twice");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                page.0.entry(name.to_owned()).or_default().kind = kind.to_owned();
                name.clone_into(&mut current);
            } else {
                let sample = Sample::parse(line);
                assert!(sample.name.starts_with(&current), "{line} stands apart from its family");
                page.0.get_mut(&current).unwrap().samples.push(sample);
            }
        }
        page
    }

    /// The series, buckets left out.
    pub(super) fn series(&self) -> BTreeSet<String> {
        let samples = self.0.values().flat_map(|family| &family.samples);
        samples.filter(|sample| !sample.labels.contains_key("le")).map(Sample::series).collect()
    }

    /// The sum of the samples of this name that have these labels.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let has = |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|given| given == value);
            sample.name == name && labels.iter().all(has)
        };
        self.0.values().flat_map(|family| &family.samples).filter(has).map(|sample| sample.value).sum()
    }
}

impl Sample {
    fn parse(line: &str) -> Sample {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let value = value.parse().unwrap_or_else(|_| panic!("no value: {line}"));
        let Some((name, labels)) = series.split_once('{') else {
            return Sample { name: series.to_owned(), labels: BTreeMap::new(), value };
        };
        let label = |pair: &str| {
            let (name, value) = pair.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        };
        let labels = labels.trim_end_matches('}').split("\",").filter(|pair| !pair.is_empty()).map(label).collect();
        Sample { name: name.to_owned(), labels, value }
    }

    pub(super) fn series(&self) -> String {
        format!("{}{:?}", self.name, self.labels)
    }
}
