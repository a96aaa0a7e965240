//! `bitnexus ledger import`: replays an export into an empty database.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;

use super::verify::{show, style};
use crate::config::DatabaseArgs;
use crate::keys;

/// Put an export into the empty ledger of a migrated database, all or nothing.
///
/// The export is verified first. The root is derived again from what is written, and has to be that of the export before
/// anything is committed. A ledger that has anything in it is refused.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Folder that `bitnexus ledger export` wrote.
    folder: PathBuf,
    /// Key that checkpoints are signed with, as for `bitnexus ledger verify`.
    #[arg(long, value_name = "VKEY", env = "LEDGER_VERIFIER_KEYS", value_delimiter = ',')]
    key: Vec<String>,
}

/// Imports the book that the export is of.
pub(super) async fn run(args: ImportArgs) -> Result<ExitCode> {
    let verifiers = keys::verifiers_or(&args.key, &args.database.dir)?;
    let mut connection = args.database.connect("ledger import").await?;
    let bar = ProgressBar::no_length().with_style(style("importing"));
    let show = |progress| show(&bar, progress);
    let imported = ledger::export::import(&mut connection, &args.folder, &verifiers, show).await;
    bar.finish_and_clear();
    let imported = imported.context("importing the ledger")?;
    let root: String = imported.root.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("{} transactions imported\nroot {root}", imported.transactions);
    Ok(ExitCode::SUCCESS)
}
