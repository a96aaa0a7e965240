//! What an examination finds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::configuration::Value;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; the exit status stays 0.
    Note,
    /// Works now, and should be looked at.
    Warning,
    /// Does not work, or what was accepted may be lost.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check found it.
    pub check: &'static str,
    /// Its stable name within the check.
    pub code: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What is so.
    pub what: String,
    /// What that leads to.
    pub means: String,
    /// What to do; what can be copied stands in back quotes.
    pub todo: String,
}

/// What one check has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    findings: Vec<Finding>,
    facts: Vec<(&'static str, String)>,
}

impl Seen {
    pub(super) fn find(
        &mut self,
        severity: Severity,
        code: &'static str,
        what: impl Into<String>,
        means: impl Into<String>,
        todo: impl Into<String>,
    ) {
        let (what, means, todo) = (what.into(), means.into(), todo.into());
        // The report knows who found it.
        self.findings.push(Finding { check: "", code, severity, what, means, todo });
    }

    pub(super) fn fact(&mut self, name: &'static str, value: impl Into<String>) {
        self.facts.push((name, value.into()));
    }

    /// Whether something of this code was found.
    pub(super) fn has(&self, code: &str) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }
}

/// What the whole examination has found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// What was seen beside that, such as the server's version.
    pub facts: BTreeMap<&'static str, String>,
    /// For each role, the variables of its settings, with what a process started here would take.
    pub configuration: BTreeMap<&'static str, BTreeMap<String, Value>>,
    /// Checks that could not be made, because of one of the findings.
    pub not_checked: Vec<&'static str>,
}

impl Report {
    pub(super) fn take(&mut self, check: &'static str, seen: Seen) {
        self.findings.extend(seen.findings.into_iter().map(|finding| Finding { check, ..finding }));
        self.facts.extend(seen.facts);
        // Stable: within a severity they stay in the order of the checks.
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }

    /// How many findings there are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// 0 when nothing is wrong, 1 with warnings, 2 with errors.
    pub fn exit_code(&self) -> u8 {
        match self.findings.first().map(|worst| worst.severity) {
            None | Some(Severity::Note) => 0,
            Some(Severity::Warning) => 1,
            Some(Severity::Error) => 2,
        }
    }
}

/// An error with its causes, each said once: some repeat their cause in their own words.
pub(super) fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text {
        text if text.contains(&cause) => text,
        text if text.is_empty() => cause,
        text => format!("{text}: {cause}"),
    })
}

/// A span of time, as people say it.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// A size, as people say it.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{value:.0} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}
