//! `.env.example`: every variable of every role, in the words of `--help`.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::{Arg, Command};
use cli::commands::command;
use cli::commands::doctor::variables;

use super::kit::{read, root};

/// The roles, in the order of the sections.
const ROLES: [&str; 5] = ["migrate", "api", "worker", "up", "witness"];

/// What `bitnexus up` and `bitnexus db` read beside their flags.
const BESIDE: [(&str, &str); 2] = [
    ("BITNEXUS_PG_BIN", "Folder with PostgreSQL's programs; then no other place is looked at."),
    ("BITNEXUS_PG_FETCH", "1: PostgreSQL may be downloaded if this machine has none."),
];

const HEAD: &str = "\
# Every setting of every role. What is commented out has the default that stands there; secrets have none.
# Made from `--help`: `INSTA_UPDATE=always cargo test -p tests --test it -- packaging::environment` writes it again.
# For systemd this is /etc/bitnexus/bitnexus.env; `bitnexus doctor --config` prints what a process would take.
";

/// A variable, as a flag has it.
struct Variable {
    help: String,
    default: String,
    roles: Vec<&'static str>,
}

fn collect(command: &Command, role: Option<&'static str>, found: &mut BTreeMap<String, Variable>) {
    for arg in command.get_arguments() {
        let Some(name) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        let variable = found.entry(name.to_owned()).or_insert_with(|| variable(arg));
        variable.roles.extend(role.filter(|role| !variable.roles.contains(role)));
    }
    command.get_subcommands().for_each(|command| collect(command, role, found));
}

fn variable(arg: &Arg) -> Variable {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
    Variable { help, default: defaults.collect::<Vec<_>>().join(","), roles: Vec::new() }
}

/// The text, from the command line itself.
fn example() -> String {
    let mut root = command();
    root.build();
    let mut found = BTreeMap::new();
    for role in ROLES {
        collect(root.find_subcommand(role).unwrap(), Some(role), &mut found);
    }
    collect(&root, None, &mut found);
    found.extend(BESIDE.map(|(name, help)| {
        (name.to_owned(), Variable { help: help.to_owned(), default: String::new(), roles: vec!["up"] })
    }));
    let mut sections: Vec<Vec<&str>> = Vec::new();
    for variable in found.values() {
        if !sections.contains(&variable.roles) {
            sections.push(variable.roles.clone());
        }
    }
    let rank =
        |roles: &Vec<&str>| (usize::MAX - roles.len(), ROLES.iter().position(|role| roles.first() == Some(role)));
    sections.sort_by_key(rank);
    let mut text = HEAD.to_owned();
    for roles in sections {
        let title = if roles.is_empty() { "operator commands".to_owned() } else { roles.join(", ") };
        writeln!(text, "\n# ---- {title}").unwrap();
        for (name, variable) in found.iter().filter(|(_, variable)| variable.roles == roles) {
            entry(&mut text, name, &variable.help, &variable.default);
        }
    }
    text
}

fn entry(text: &mut String, name: &str, help: &str, default: &str) {
    let mut line = "#".to_owned();
    for word in help.split_whitespace() {
        if line.len() + word.len() > 118 {
            writeln!(text, "{line}").unwrap();
            line = "#".to_owned();
        }
        write!(line, " {word}").unwrap();
    }
    writeln!(text, "{line}\n#{name}={default}").unwrap();
}

#[test]
fn the_example_has_every_variable_and_no_other() {
    let expected = example();
    if std::env::var("INSTA_UPDATE").is_ok_and(|wish| wish == "always") {
        std::fs::write(root().join(".env.example"), &expected).unwrap();
    }
    let written = read(".env.example");
    let differs = written.lines().zip(expected.lines()).find(|(written, expected)| written != expected);
    assert!(written == expected, "{differs:?}; to write it again:\n{HEAD}");
    for name in variables() {
        assert!(written.contains(&format!("\n#{name}=")), "{name}");
    }
}

#[test]
fn the_example_holds_no_secret_and_sets_nothing() {
    for line in read(".env.example").lines() {
        assert!(line.is_empty() || line.starts_with('#'), "{line}");
        assert!(!line.contains("postgres://") || line.starts_with("# "), "{line}");
    }
}
