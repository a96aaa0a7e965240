//! The `bitnexus` binary, built once for each test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the binary if need be; returns where it is.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // The profile of the tests, wherever their target folder is: `target/debug/deps/it-…`.
        let tests = std::env::current_exe().expect("a running program has a path");
        let folder = tests.ancestors().nth(2).expect("cargo puts tests two folders deep");
        let release = folder.ends_with("release").then_some("--release");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "-p", "cli"]).args(release).current_dir(root);
        // Build scripts ask to be run again when these change, and what cargo tells a test is not what a shell has:
        // each test run and each build by hand would compile half of everything anew.
        let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
            cargo.env_remove(name);
        }
        let built = cargo.status();
        assert!(built.is_ok_and(|status| status.success()), "cargo build -p cli fails");
        folder.join("bitnexus")
    })
    .clone()
}
