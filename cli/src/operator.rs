//! What the operator commands share: who acts, how tables look, and errors that name the flag.

use anyhow::{Error, anyhow};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use queue::control::ControlError;

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How the audit names whoever runs a command: whoever has the database's address may do what an operator may.
pub(crate) fn actor() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).filter(|user| !user.is_empty());
    let user: String =
        user.unwrap_or_else(|| "unknown".to_owned()).chars().filter(|one| !one.is_control()).take(100).collect();
    format!("cli:{user}")
}

/// A time as the tables show it.
pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The same, or a dash.
pub(crate) fn time_or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), time)
}

/// Prints rows under a heading, each column as wide as its widest cell.
pub(crate) fn print_table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    let widths: Vec<usize> = (0..N)
        .map(|column| {
            rows.iter().map(|row| row[column].chars().count()).chain([heading[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let print = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    print(heading.to_vec());
    rows.iter().for_each(|row| print(row.iter().map(String::as_str).collect()));
}

/// What was refused, with the flag that it is about.
pub(crate) fn flagged(error: ControlError) -> Error {
    match &error {
        ControlError::Text { field, .. } => anyhow!("--{field}: {error}"),
        ControlError::EmptyFilter => anyhow!("no job is named: give ids, a filter such as --queue, or --all"),
        ControlError::UnknownState(_) | ControlError::StateNotApplicable { .. } => anyhow!("--state: {error}"),
        ControlError::PriorityOutOfRange(_) => anyhow!("--priority: {error}"),
        ControlError::TimesOutOfOrder => anyhow!("--created-before: {error}"),
        ControlError::TimeOutOfRange => anyhow!("--run-at: {error}"),
        ControlError::CapOutOfRange(_) | ControlError::TooManyIds { .. } => anyhow!("--limit: {error}"),
        ControlError::LimitOutOfRange(field) => anyhow!("--{}: {error}", field.replace('_', "-")),
        _ => Error::new(error),
    }
}

/// What the domain refused, each field as the flag of its name.
pub(crate) fn flagged_fields(error: domain::Error) -> Error {
    let domain::Error::Invalid(fields) = error else { return Error::new(error) };
    let lines = fields.iter().map(|field| {
        let (name, rest) =
            field.pointer[1..].split_once('/').map_or((&field.pointer[1..], ""), |(name, rest)| (name, rest));
        let place = if rest.is_empty() { String::new() } else { format!(" /{rest}") };
        format!("--{}{place}: {}", name.replace('_', "-"), field.detail)
    });
    anyhow!("{}", lines.collect::<Vec<_>>().join("\n"))
}
