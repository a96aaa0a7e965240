//! `bitnexus ledger export tiles`: the log as files that any C2SP tlog-tiles client reads.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Book;
use ledger::export::tiles;

use crate::config::DatabaseArgs;

/// Write the log to a folder: checkpoint, tiles and entries, as C2SP tlog-tiles has them.
///
/// What is there already is kept, so run it again to go on after it was cut off, and to bring the folder up to the last
/// checkpoint. A folder of another log, or of one that this is no continuation of, is refused.
#[derive(Debug, Args)]
pub(super) struct TilesArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Folder to write to.
    folder: PathBuf,
}

/// Exports the log of the main book.
pub(super) async fn run(args: TilesArgs) -> Result<ExitCode> {
    let mut connection = args.database.connect("ledger export tiles").await?;
    let template = "exporting {wide_bar} {human_pos}/{human_len} files, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    let bar = ProgressBar::no_length().with_style(style);
    let exported = tiles::tiles(&mut connection, Book::MAIN, &args.folder, |progress| {
        bar.set_length(progress.files_total);
        bar.set_position(progress.files);
    })
    .await;
    bar.finish_and_clear();
    let exported = exported.context("exporting the log")?;
    let size = exported.checkpoint.size;
    println!("{size} leaves in {}: {} files written, {} kept", args.folder.display(), exported.written, exported.kept);
    Ok(ExitCode::SUCCESS)
}
