//! `bitnexus ledger`: looks after the ledger.

mod export;
mod import;
mod new_key;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check the ledger, take it out of its database and back, and make keys for it.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Verify(verify::VerifyArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    NewKey(new_key::NewKeyArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub async fn run(args: LedgerArgs) -> Result<ExitCode> {
    match args.command {
        LedgerCommand::Verify(args) => verify::run(args).await,
        LedgerCommand::Export(args) => export::run(args).await,
        LedgerCommand::Import(args) => import::run(args).await,
        LedgerCommand::NewKey(args) => new_key::run(&args),
    }
}
