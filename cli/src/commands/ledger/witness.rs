//! `bitnexus ledger witness`: lets others vouch for the log.

mod ask;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Let witnesses sign that the log only grows.
#[derive(Debug, Args)]
pub(super) struct WitnessArgs {
    #[command(subcommand)]
    command: WitnessCommand,
}

#[derive(Debug, Subcommand)]
enum WitnessCommand {
    Ask(ask::AskArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub(super) async fn run(args: WitnessArgs) -> Result<ExitCode> {
    match args.command {
        WitnessCommand::Ask(args) => ask::run(args).await,
    }
}
