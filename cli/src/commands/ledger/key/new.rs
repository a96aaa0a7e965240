//! `bitnexus ledger key new`: a signing key for an installation that `bitnexus up` does not look after.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::keys::SigningKey;

use crate::keys;

/// Make the first signing key of a log, and print the key that verifies it.
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Name of the log that the key signs for, for ever: a host and a path, such as `ledger.example.org/main`.
    #[arg(long, value_name = "NAME")]
    origin: String,
    /// Leave a file alone that is there and holds a key, for a start that is repeated.
    #[arg(long)]
    if_missing: bool,
    /// File to write the key to; it must not be there yet.
    file: PathBuf,
}

/// Makes the key.
pub(super) fn run(args: &NewArgs) -> Result<ExitCode> {
    if args.if_missing && args.file.exists() {
        keys::read(&args.file)?.iter().for_each(|key| println!("{}", key.verifier().to_text()));
        return Ok(ExitCode::SUCCESS);
    }
    let key = SigningKey::generate(&args.origin).context("--origin")?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&args.file);
    let mut file = file.with_context(|| format!("making {}", args.file.display()))?;
    writeln!(file, "{}", key.to_text()).and_then(|()| file.sync_all()).context("writing the key")?;
    println!("{}", key.verifier().to_text());
    Ok(ExitCode::SUCCESS)
}
