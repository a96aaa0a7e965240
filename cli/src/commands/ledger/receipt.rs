//! `bitnexus ledger receipt`: proofs for one transaction each.

mod check;
mod make;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Make and check receipts: texts that prove offline that a transaction is in the log.
#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    #[command(subcommand)]
    command: ReceiptCommand,
}

#[derive(Debug, Subcommand)]
enum ReceiptCommand {
    Make(make::MakeArgs),
    Check(check::CheckArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub(super) async fn run(args: ReceiptArgs) -> Result<ExitCode> {
    match args.command {
        ReceiptCommand::Make(args) => make::run(args).await,
        ReceiptCommand::Check(args) => check::run(&args),
    }
}
