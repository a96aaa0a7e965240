//! `bitnexus ledger receipt make`: writes the receipt of a transaction, and its leaf.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::{Book, TransactionId, log, receipt};
use uuid::Uuid;

use crate::config::DatabaseArgs;

/// Print the receipt of a transaction (C2SP tlog-proof).
#[derive(Debug, Args)]
pub(super) struct MakeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// The transaction.
    id: Uuid,
    /// File to write the transaction's leaf to: what the receipt proves, in the canonical encoding.
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    /// Under the last checkpoint that at least so many witnesses signed, with what they signed. Default: under the first
    /// checkpoint that covers the transaction.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    witnesses: Option<u32>,
}

/// Makes a receipt of the main book.
pub(super) async fn run(args: MakeArgs) -> Result<ExitCode> {
    let (mut connection, id) = (args.database.connect("ledger receipt make").await?, TransactionId(args.id));
    let receipt = match args.witnesses {
        None => receipt::make(&mut connection, Book::MAIN, id).await,
        Some(witnesses) => receipt::make_witnessed(&mut connection, Book::MAIN, id, witnesses).await,
    };
    let receipt = receipt.context("making the receipt")?;
    if let Some(path) = &args.leaf {
        let leaf = log::leaf(&mut connection, Book::MAIN, id).await.context("reading the leaf")?;
        let leaf = leaf.context("the transaction has a receipt but no leaf")?;
        fs::write(path, leaf).with_context(|| format!("writing {}", path.display()))?;
    }
    print!("{}", receipt.to_text());
    Ok(ExitCode::SUCCESS)
}
