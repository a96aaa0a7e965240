//! `bitnexus ledger export book`: the ledger as files, to be verified and replayed without this database.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::ProgressBar;
use ledger::export::{jsonl, tiles};
use ledger::{Book, checkpoint};
use sqlx::Connection;

use super::super::verify::{show, style};
use crate::config::DatabaseArgs;

/// Write the whole ledger to a folder: each table as lines of JSON, and the signed log as C2SP tiles beside them.
///
/// Changes nothing, and may run beside the service: everything is of one moment. `bitnexus ledger verify --export` verifies
/// it, `bitnexus ledger import` puts it into an empty database.
#[derive(Debug, Args)]
pub(in crate::commands::ledger) struct BookArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Folder to write to; it is made, or must be empty.
    folder: PathBuf,
}

/// Exports the main book.
pub(in crate::commands::ledger) async fn run(args: BookArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("ledger export").await?;
    let mut tx = connection.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let bar = ProgressBar::no_length().with_style(style("exporting"));
    let exported = jsonl(&mut tx, Book::MAIN, &args.folder, |progress| show(&bar, progress)).await;
    bar.finish_and_clear();
    let exported = exported.context("exporting the ledger")?;
    let log = match checkpoint::latest(&mut tx, Book::MAIN).await.context("reading the last checkpoint")? {
        Some(last) => {
            // As it stands in checkpoints.jsonl: what witnesses signed is not among what an export has.
            let log = tiles::up_to(&mut tx, Book::MAIN, last, &args.folder, |_| ()).await;
            format!("tiles up to the checkpoint at {}", log.context("exporting the log")?.checkpoint.size)
        }
        None => "no tiles: the log has no checkpoint yet".to_owned(),
    };
    tx.rollback().await.context("ending the snapshot")?;
    println!(
        "{} transactions, {} entries, {} accounts in {}; {log}",
        exported.transactions,
        exported.entries,
        exported.accounts,
        args.folder.display()
    );
    Ok(ExitCode::SUCCESS)
}
