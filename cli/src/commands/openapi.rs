//! `bitnexus openapi`: the API's document, for whoever makes clients of it.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

/// Print the OpenAPI document of the API, as it serves it at /openapi.json. Needs no database.
#[derive(Debug, Args)]
pub struct OpenApiArgs {}

/// Prints it.
///
/// # Errors
/// None.
pub fn run(_args: OpenApiArgs) -> Result<ExitCode> {
    println!("{}", api::document());
    Ok(ExitCode::SUCCESS)
}
