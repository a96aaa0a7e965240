//! `bitnexus migrate`: the release step.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::config::DatabaseArgs;
use crate::migrations::{self, Service};

/// What an administrator can do with the role.
const GRANTED: &str = "api and workers need no more rights than those of the role bitnexus_service; a login for them:
  create role NAME login password '…' in role bitnexus_service;
  alter role NAME set role = 'bitnexus_service';";

/// What an administrator has to do for the role.
const MISSING: &str =
    "there is no role bitnexus_service, and this one may not make it; so that api and workers cannot change \
what is recorded, have an administrator do this once, then migrate again:
  create role bitnexus_service nologin;
  grant bitnexus_service to NAME_OF_THIS_ROLE;";

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
    let service = migrations::migrate(&mut connection).await.context("migrating the database")?;
    println!("the database is up to date");
    match service {
        Service::Granted => println!("{GRANTED}"),
        Service::Missing => println!("{MISSING}"),
    }
    Ok(ExitCode::SUCCESS)
}
