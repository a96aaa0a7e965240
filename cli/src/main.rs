//! The `bitnexus` binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Import.
    Import(cli::commands::import::ImportArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Import(args) = Cli::parse().command;
    cli::commands::import::run(args).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
