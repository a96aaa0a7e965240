//! `bitnexus ledger receipt check`: what a receipt proves, without a database or a network.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::keyring::Keyring;
use ledger::leaf::Leaf;
use ledger::receipt;

use crate::folder;
use crate::keys;

/// Check offline that a receipt proves its leaf, and print what the leaf says. The exit status is 1 when it does not.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The receipt.
    file: PathBuf,
    /// The leaf: the transaction in the canonical encoding.
    #[arg(long, value_name = "FILE")]
    leaf: PathBuf,
    /// Key of the log, as `bitnexus ledger key show` prints it. Default: those of the `bitnexus up` here.
    #[arg(long, value_name = "VKEY", env = "LEDGER_VERIFIER_KEYS", value_delimiter = ',')]
    key: Vec<String>,
    /// Folder that `bitnexus up` keeps its state in.
    #[arg(long, value_name = "FOLDER", env = folder::VARIABLE, default_value = folder::DEFAULT)]
    dir: PathBuf,
}

/// Checks the receipt.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let read = |path: &PathBuf| fs::read(path).with_context(|| format!("reading {}", path.display()));
    let (text, leaf) = (read(&args.file)?, read(&args.leaf)?);
    let text = String::from_utf8(text).context("the receipt is not a text")?;
    let trusted = keys::verifiers_or(&args.key, &args.dir)?;
    let proven = receipt::check(&text, &leaf, &Keyring::new(&trusted, Vec::new()))?;
    let said = Leaf::decode(&leaf).context("the leaf is in the log, but cannot be read")?;
    println!("{} is leaf {} of {} ({} leaves)", said.id, proven.index, proven.origin, proven.size);
    println!("recorded {}, counts from {}, code {}", said.recorded_at, said.effective_at, said.code);
    for leg in &said.legs {
        println!("{}  {} minor units of {}", leg.account, leg.amount, leg.currency.code());
    }
    Ok(ExitCode::SUCCESS)
}
