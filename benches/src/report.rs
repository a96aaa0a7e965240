//! The results: a table for people, JSON for programs.

use std::fmt;

use serde::Serialize;

use crate::machine::Machine;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// Its stable name, such as `queue.drain`.
    pub(crate) name: String,
    /// How much: the median where it was measured several times.
    pub(crate) value: f64,
    /// Of what, such as `jobs/s`.
    pub(crate) unit: &'static str,
    /// The least and the most of several measurements.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<(f64, f64)>,
}

/// All figures, in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Vec<Figure>,
    /// What could not be measured, and why.
    skipped: Vec<String>,
}

impl Report {
    /// Adds a figure, and tells it at once.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        self.push(Figure { name: name.to_owned(), value, unit, spread: None });
    }

    /// Adds the median of several measurements, with their spread.
    ///
    /// # Panics
    /// When there are none.
    pub(crate) fn add_median(&mut self, name: &str, mut values: Vec<f64>, unit: &'static str) {
        values.sort_by(f64::total_cmp);
        let median = values[values.len() / 2];
        let spread = (values.len() > 1).then(|| (values[0], values[values.len() - 1]));
        self.push(Figure { name: name.to_owned(), value: median, unit, spread });
    }

    /// Adds how a figure compares with another of this run; nothing if either is missing.
    pub(crate) fn add_ratio(&mut self, name: &str, figure: &str, of: &str) {
        if let (Some(value), Some(of)) = (self.value(figure), self.value(of)) {
            self.add(name, value / of, "times");
        }
    }

    fn push(&mut self, figure: Figure) {
        eprintln!("{figure}");
        self.figures.push(figure);
    }

    /// Says that something could not be measured.
    pub(crate) fn skip(&mut self, what: &str, why: &impl fmt::Display) {
        let line = format!("{what} was not measured: {why}");
        eprintln!("{line}");
        self.skipped.push(line);
    }

    /// A figure of this run.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// `{"machine": …, "results": […], "skipped": […]}`.
    pub(crate) fn json(&self, machine: &Machine) -> String {
        let value = serde_json::json!({"machine": machine, "results": self.figures, "skipped": self.skipped});
        serde_json::to_string_pretty(&value).expect("plain data is JSON")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:<48}{:>14.2} {}", self.name, self.value, self.unit)?;
        match self.spread {
            Some((least, most)) => write!(out, " ({least:.2} to {most:.2})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures.iter().try_for_each(|figure| writeln!(out, "{figure}"))?;
        self.skipped.iter().try_for_each(|line| writeln!(out, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_keeps_its_spread_and_a_ratio_needs_both_figures() {
        let mut report = Report::default();
        report.add_median("a", vec![3.0, 1.0, 2.0], "s");
        report.add_median("b", vec![4.0], "s");
        assert_eq!(report.figures[0].spread, Some((1.0, 3.0)));
        assert_eq!(report.figures[1].spread, None);
        report.add_ratio("a.ratio", "a", "b");
        report.add_ratio("c.ratio", "c", "b");
        assert_eq!((report.value("a.ratio"), report.value("c.ratio")), (Some(0.5), None));
    }
}
