//! `bitnexus migrate`: the release step.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::config::DatabaseArgs;
use crate::migrations;

/// Bring the database's schema up to date; a release runs this before its processes start.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Migrates.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn run(args: MigrateArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("migrate").await?;
    migrations::migrate(&mut connection).await.context("migrating the database")?;
    println!("the database is up to date");
    Ok(ExitCode::SUCCESS)
}
