//! The results: a table for people, JSON for programs.

use std::fmt;

use serde::Serialize;

use crate::machine::Machine;

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    /// Its stable name, such as `queue.drain`.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what, such as `jobs/s`.
    pub(crate) unit: &'static str,
}

/// All figures, in the order they were measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report(Vec<Figure>);

impl Report {
    /// Adds a figure, and tells it at once.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str) {
        eprintln!("{name} {value:.2} {unit}");
        self.0.push(Figure { name: name.to_owned(), value, unit });
    }

    /// `{"machine": …, "results": […]}`.
    pub(crate) fn json(&self, machine: &Machine) -> String {
        let value = serde_json::json!({"machine": machine, "results": self});
        serde_json::to_string_pretty(&value).expect("plain data is JSON")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for figure in &self.0 {
            writeln!(out, "{:<36}{:>14.2} {}", figure.name, figure.value, figure.unit)?;
        }
        Ok(())
    }
}
