//! `bitnexus ledger`: looks after the ledger.

mod breaks;
mod new_key;
mod reconcile;
mod statement;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check the ledger, and make keys for it.
#[derive(Debug, Args)]
pub struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Verify(verify::VerifyArgs),
    NewKey(new_key::NewKeyArgs),
    Reconcile(reconcile::ReconcileArgs),
    Breaks(breaks::BreaksArgs),
    Statement(statement::StatementArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub async fn run(args: LedgerArgs) -> Result<ExitCode> {
    match args.command {
        LedgerCommand::Verify(args) => verify::run(args).await,
        LedgerCommand::NewKey(args) => new_key::run(&args),
        LedgerCommand::Reconcile(args) => reconcile::run(args).await,
        LedgerCommand::Breaks(args) => breaks::run(args).await,
        LedgerCommand::Statement(args) => statement::run(args).await,
    }
}
