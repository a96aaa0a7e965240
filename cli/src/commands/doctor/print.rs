//! Prints a report: for people, or for programs.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _, stdout};

use serde_json::{Value as Json, json};

use super::report::{Report, Severity};

/// Prints the report as JSON.
pub(super) fn json(report: &Report) {
    let mut shown = json!(report);
    let status = ["ok", "warning", "error"][usize::from(report.exit_code())];
    if let Json::Object(fields) = &mut shown {
        fields.insert("status".to_owned(), json!(status));
    }
    write(&format!("{shown:#}\n"));
}

/// Prints the report as text, coloured on a terminal unless NO_COLOR is set.
pub(super) fn text(report: &Report, with_configuration: bool) {
    let coloured = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    write(&render(report, with_configuration, coloured));
}

/// Nobody may be reading, which is no reason to fail.
fn write(text: &str) {
    let _ = stdout().write_all(text.as_bytes());
}

fn render(report: &Report, with_configuration: bool, coloured: bool) -> String {
    let mut text = String::new();
    if with_configuration {
        configuration(&mut text, report);
    }
    lines(&mut text, "", report.facts.iter().map(|(name, value)| (*name, value.as_str())));
    for finding in &report.findings {
        let label = label(finding.severity, coloured);
        let _ = writeln!(text, "\n{label}  {}.{}: {}", finding.check, finding.code, finding.what);
        let _ = writeln!(text, "         means  {}", finding.means);
        let _ = writeln!(text, "         do     {}", finding.todo);
    }
    if !report.not_checked.is_empty() {
        let _ = writeln!(text, "\nnot looked at, for these reasons: {}", report.not_checked.join(", "));
    }
    let _ = writeln!(text, "\n{}", summary(report));
    text
}

fn label(severity: Severity, coloured: bool) -> String {
    let (word, colour) = match severity {
        Severity::Error => ("ERROR  ", "31"),
        Severity::Warning => ("WARNING", "33"),
        Severity::Note => ("NOTE   ", "36"),
    };
    if coloured { format!("\x1b[1;{colour}m{word}\x1b[0m") } else { word.to_owned() }
}

fn summary(report: &Report) -> String {
    let counted = |severity, one: &str| match report.count(severity) {
        1 => format!("1 {one}"),
        count => format!("{count} {one}s"),
    };
    match report.exit_code() {
        0 if report.findings.is_empty() => "nothing is wrong".to_owned(),
        0 => format!("nothing is wrong; {}", counted(Severity::Note, "note")),
        _ => format!("{}, {}", counted(Severity::Error, "error"), counted(Severity::Warning, "warning")),
    }
}

fn configuration(text: &mut String, report: &Report) {
    for (role, values) in &report.configuration {
        let _ = writeln!(text, "bitnexus {role}");
        let shown: Vec<(&str, String)> =
            values.iter().map(|(name, value)| (name.as_str(), format!("{} ({})", value.value, value.from))).collect();
        lines(text, "  ", shown.iter().map(|(name, value)| (*name, value.as_str())));
        text.push('\n');
    }
}

fn lines<'a>(text: &mut String, indent: &str, rows: impl Iterator<Item = (&'a str, &'a str)> + Clone) {
    let width = rows.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in rows {
        let _ = writeln!(text, "{indent}{name:<width$}  {value}");
    }
}
