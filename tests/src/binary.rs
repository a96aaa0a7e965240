//! The `bitnexus` binary, built once for each test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Builds the binary if need be; returns where it is.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace");
        let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "cli"]).current_dir(root).status();
        assert!(built.is_ok_and(|status| status.success()), "cargo build -p cli fails");
        root.join("target/debug/bitnexus")
    })
    .clone()
}
