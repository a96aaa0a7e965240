//! Reading what is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use cli::commands::command;
use cli::commands::doctor::variables;

/// The workspace's folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file of the workspace.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Panics unless the binary takes this command line.
pub(super) fn is_command(words: &[&str]) {
    let words = ["bitnexus"].iter().chain(words);
    if let Err(error) = command().try_get_matches_from(words.clone()) {
        let kind = format!("{:?}", error.kind());
        assert_eq!(kind, "DisplayHelp", "{:?}: {error}", words.collect::<Vec<_>>());
    }
}

/// Panics unless one of our commands reads this variable.
pub(super) fn is_variable(name: &str) {
    assert!(variables().contains(name), "nothing reads {name}");
}

/// The service of compose.yaml: its lines without their indentation.
pub(super) fn service(name: &str) -> Vec<String> {
    let text = read("compose.yaml");
    let lines = text.lines().skip_while(|line| *line != format!("  {name}:")).skip(1);
    let lines = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
    let found: Vec<String> = lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    assert!(!found.is_empty(), "compose.yaml has no service {name}");
    found
}

/// The words of a list in brackets, such as `[worker, --processes, "2"]`.
pub(super) fn words(list: &str) -> Vec<String> {
    let inside = list.trim().trim_start_matches('[').trim_end_matches(']');
    inside.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
}
