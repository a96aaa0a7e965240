//! The configuration, as processes started here would take it.

use std::collections::BTreeMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use serde::Serialize;

use super::report::{Seen, Severity, told};
use super::spelling;
use crate::commands;
use crate::config::options;

/// The roles of an installation.
const ROLES: [&str; 3] = ["api", "worker", "migrate"];

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Value {
    /// The value; of an address only what is no secret.
    pub value: String,
    /// `default`, `environment`, or `unset`.
    pub from: &'static str,
}

/// For each role, its variables with their values.
pub(super) type Values = BTreeMap<&'static str, BTreeMap<String, Value>>;

/// Has each role's command line read the environment, and looks at variables that nobody reads.
pub(super) fn check() -> (Seen, Values) {
    let (mut seen, mut values) = (Seen::default(), Values::new());
    for role in ROLES {
        match commands::read_environment(role) {
            Ok(matches) => {
                values.insert(role, values_of(role, &matches));
            }
            Err(error) => seen.find(
                Severity::Error,
                "refused",
                format!("`bitnexus {role}` would not start: {}", told(&error)),
                "the role ends at its start with this message",
                format!("change the variable that is named; `bitnexus {role} --help` says what it takes"),
            ),
        }
    }
    let names: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    for (name, meant) in spelling::misspelt(&names) {
        let hint = meant.map_or_else(|| "unset it".to_owned(), |meant| format!("is it `{meant}` that is meant?"));
        seen.find(
            Severity::Warning,
            "unknown_variable",
            format!("the variable {name} is set, and nothing reads it"),
            "the setting that it was meant for keeps its default",
            hint,
        );
    }
    (seen, values)
}

fn values_of(role: &str, matches: &ArgMatches) -> BTreeMap<String, Value> {
    let mut root = commands::command();
    root.build();
    let Some(command) = root.find_subcommand(role) else { return BTreeMap::new() };
    let variable = |arg: &Arg| Some((arg.get_env()?.to_str()?.to_owned(), value_of(arg, matches)));
    command.get_arguments().filter_map(variable).collect()
}

fn value_of(arg: &Arg, matches: &ArgMatches) -> Value {
    let id = arg.get_id().as_str();
    let from = match matches.value_source(id) {
        Some(ValueSource::EnvVariable) => "environment",
        Some(_) => "default",
        None => "unset",
    };
    let texts = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
    let text = texts.collect::<Vec<_>>().join(",");
    let value = if arg.is_hide_env_values_set() && !text.is_empty() { without_secrets(&text) } else { text };
    Value { value, from }
}

/// Where an address leads, without its password.
fn without_secrets(text: &str) -> String {
    options(text).map_or_else(
        |_| "(hidden)".to_owned(),
        |options| {
            let place = match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            format!("{} as {} at {place}", options.get_database().unwrap_or("-"), options.get_username())
        },
    )
}
