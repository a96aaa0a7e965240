//! `bitnexus openapi`: the API's document, for whoever makes clients of it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

/// Print the OpenAPI document of the API, as it serves it at /openapi.json. Needs no database.
#[derive(Debug, Args)]
pub struct OpenApiArgs {}

/// Prints it.
///
/// # Errors
/// When nobody can be written to.
pub fn run(_args: OpenApiArgs) -> Result<ExitCode> {
    writeln!(std::io::stdout(), "{}", api::document()).context("printing the document")?;
    Ok(ExitCode::SUCCESS)
}
