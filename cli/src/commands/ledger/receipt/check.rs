//! `bitnexus ledger receipt check`: what a receipt proves, without a database or a network.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat};
use clap::Args;
use ledger::keyring::Keyring;
use ledger::leaf::Leaf;
use ledger::receipt::Receipt;
use ledger::witness::cosignature::CosignatureKey;

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
    /// Key of a witness that is to have signed the receipt's checkpoint, as the witness printed it at its start; several with commas, or
    /// the flag again.
    #[arg(long, value_name = "VKEY", value_delimiter = ',')]
    witness_key: Vec<String>,
    /// How many of these witnesses have to have signed, at least. Default: all of them.
    #[arg(long, value_name = "COUNT", requires = "witness_key")]
    witnesses: Option<usize>,
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
    let witness = |key: &String| CosignatureKey::parse(key).with_context(|| format!("--witness-key {key}"));
    let witnesses = args.witness_key.iter().map(witness).collect::<Result<Vec<_>>>()?;
    for (place, key) in witnesses.iter().enumerate() {
        // Counted twice, one witness would pass for two.
        ensure!(!witnesses[..place].contains(key), "--witness-key {} is named twice", key.to_text());
    }
    let wanted = args.witnesses.unwrap_or(witnesses.len());
    ensure!(wanted <= witnesses.len(), "--witnesses {wanted}: only {} are named by --witness-key", witnesses.len());
    let receipt = Receipt::parse(&text)?;
    let proven = receipt.check(&leaf, &Keyring::new(&trusted, Vec::new()))?;
    let signed = receipt.witnesses(&witnesses);
    ensure!(signed.len() >= wanted, "{} of these witnesses signed the checkpoint, and {wanted} have to", signed.len());
    let said = Leaf::decode(&leaf).context("the leaf is in the log, but cannot be read")?;
    println!("{} is leaf {} of {} ({} leaves)", said.id, proven.index, proven.origin, proven.size);
    println!("recorded {}, counts from {}, code {}", said.recorded_at, said.effective_at, said.code);
    for (key, time_s) in signed {
        let at = i64::try_from(time_s).ok().and_then(|time_s| DateTime::from_timestamp(time_s, 0));
        let at = at.context("a witness signed at a time that is none")?;
        println!("witnessed by {} at {}", key.name(), at.to_rfc3339_opts(SecondsFormat::Secs, true));
    }
    for leg in &said.legs {
        println!("{}  {} minor units of {}", leg.account, leg.amount, leg.currency.code());
    }
    Ok(ExitCode::SUCCESS)
}
