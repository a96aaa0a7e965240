//! Tools that are not ours, which read our log: a Go program on golang.org/x/mod, and aics-tlog from PyPI.
//!
//! A machine may lack them; then the tests that need them say so and prove nothing. Where `OUTSIDE_TOOLS=required` is set, as
//! where `.ci/run` installed them, lacking one is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where Debian has the sources of golang.org/x/mod.
const GO_PATH: &str = "/usr/share/gocode";

/// Interpreters that may have aics-tlog, the one of `.ci/run` first.
const PYTHONS: [&str; 5] = ["target/tools/aics/bin/python", "python3.14", "python3.13", "python3.12", "python3"];

/// A tool that checks an exported log.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Tool {
    /// The Go program, built once for each test process; none if the machine lacks Go or the library.
    pub fn go() -> Option<Tool> {
        static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
        let program = BUILT.get_or_init(build).clone();
        required("Go with golang.org/x/mod", program.map(|program| Tool { name: "x/mod", program, arguments: vec![] }))
    }

    /// The Python program; none if the machine has no interpreter with aics-tlog.
    pub fn aics() -> Option<Tool> {
        let has_it = |python: &PathBuf| {
            Command::new(python).args(["-c", "import aics_tlog"]).output().is_ok_and(|output| output.status.success())
        };
        let program = PYTHONS.iter().map(|python| locate(python)).find(has_it);
        let arguments = vec![root().join("tests/outside/check.py")];
        required("Python 3.12 with aics-tlog", program.map(|program| Tool { name: "aics-tlog", program, arguments }))
    }

    /// Runs it with these arguments.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program).args(&self.arguments).args(arguments).output().expect("the tool was there before")
    }
}

/// Says what is not proven for want of a tool.
fn required(what: &str, tool: Option<Tool>) -> Option<Tool> {
    if tool.is_none() {
        let is_required = std::env::var("OUTSIDE_TOOLS").is_ok_and(|wish| wish == "required");
        assert!(!is_required, "OUTSIDE_TOOLS=required, and there is no {what}");
        eprintln!("skipped: this machine has no {what}; .ci/run says how to install it");
    }
    tool
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// A name is looked up by the system, a path is one of ours.
fn locate(program: &str) -> PathBuf {
    if program.contains('/') { root().join(program) } else { program.into() }
}

/// Builds the Go program beside the tests, where its cache stays for the next time.
fn build() -> Option<PathBuf> {
    let tests = std::env::current_exe().expect("a running program has a path");
    let folder = tests.ancestors().nth(3).expect("cargo puts tests three folders deep").join("outside");
    std::fs::create_dir_all(&folder).ok()?;
    let program = folder.join(format!("check-{}", std::process::id()));
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(&program).arg(root().join("tests/outside/check.go")).current_dir(&folder);
    go.env("GO111MODULE", "off").env("GOPATH", GO_PATH).env("GOCACHE", folder.join("cache"));
    let built = go.output().ok()?;
    if !built.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&built.stderr));
        return None;
    }
    // In the place of the last one at once, as another test process may run that.
    let shared = folder.join("check");
    std::fs::rename(&program, &shared).ok()?;
    Some(shared)
}
