//! Programs that are not ours. A machine may lack them; then the tests say what they could not show.

use std::process::{Command, Stdio};

use super::source::root;

/// The Python that `.ci/run` gives Grafana's own library.
const PYTHON: &str = "target/tools/grafana/bin/python";

/// A program of Debian's package `prometheus`; none, said aloud, where it is absent.
pub(super) fn tool(name: &str) -> Option<Command> {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    required(name, found).then(|| Command::new(name))
}

/// A Python with grafana-foundation-sdk; none, said aloud, where there is none.
pub(super) fn grafana() -> Option<Command> {
    let has_it = |python: &str| {
        let output = Command::new(python).args(["-c", "import grafana_foundation_sdk"]).current_dir(root()).output();
        output.is_ok_and(|output| output.status.success())
    };
    let own = root().join(PYTHON).to_string_lossy().into_owned();
    let python = [own.as_str(), "python3"].into_iter().find(|python| has_it(python));
    required("Python with grafana-foundation-sdk", python.is_some());
    python.map(Command::new)
}

fn required(what: &str, found: bool) -> bool {
    let is_required = std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required");
    assert!(found || !is_required, "OUTSIDE_TOOLS=required, and there is no {what}");
    if !found {
        eprintln!("skipped: this machine has no {what}; .ci/run says how to install it");
    }
    found
}
