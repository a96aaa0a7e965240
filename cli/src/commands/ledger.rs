//! `bitnexus ledger`: looks after the ledger.

mod breaks;
mod export;
mod import;
mod key;
mod mirror;
mod receipt;
mod reconcile;
mod statement;
mod verify;
mod witness;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check the ledger, show it to others, and look after its keys.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Verify(verify::VerifyArgs),
    Key(key::KeyArgs),
    Receipt(receipt::ReceiptArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Witness(witness::WitnessArgs),
    Reconcile(reconcile::ReconcileArgs),
    Breaks(breaks::BreaksArgs),
    Statement(statement::StatementArgs),
    Mirror(mirror::MirrorArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub async fn run(args: LedgerArgs) -> Result<ExitCode> {
    match args.command {
        LedgerCommand::Verify(args) => verify::run(args).await,
        LedgerCommand::Key(args) => key::run(args).await,
        LedgerCommand::Receipt(args) => receipt::run(args).await,
        LedgerCommand::Export(args) => export::run(args).await,
        LedgerCommand::Import(args) => import::run(args).await,
        LedgerCommand::Witness(args) => witness::run(args).await,
        LedgerCommand::Reconcile(args) => reconcile::run(args).await,
        LedgerCommand::Breaks(args) => breaks::run(args).await,
        LedgerCommand::Statement(args) => statement::run(args).await,
        LedgerCommand::Mirror(args) => mirror::run(args).await,
    }
}
