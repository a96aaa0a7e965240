//! `bitnexus ledger export`: writes the ledger out.

mod book;
mod tiles;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Write the ledger out, for those who do not ask its database.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(subcommand)]
    command: ExportCommand,
}

#[derive(Debug, Subcommand)]
enum ExportCommand {
    Book(book::BookArgs),
    Tiles(tiles::TilesArgs),
}

/// Does what is asked.
///
/// # Errors
/// As each command says.
pub(super) async fn run(args: ExportArgs) -> Result<ExitCode> {
    match args.command {
        ExportCommand::Book(args) => book::run(args).await,
        ExportCommand::Tiles(args) => tiles::run(args).await,
    }
}
