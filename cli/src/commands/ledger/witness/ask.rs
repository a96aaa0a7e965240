//! `bitnexus ledger witness ask`: has the last checkpoint signed by a witness.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use jobs::witness::{Place, Witness};
use ledger::witness::cosignature::CosignatureKey;
use ledger::{Book, checkpoint};

use crate::config::DatabaseArgs;
use crate::tls::authorities;

/// Have the last checkpoint signed by a witness, and print it with the witness's signature.
///
/// The witness signs only if it is proven that the log grew since it was asked last. The exit status is 1 when it refuses.
/// Workers ask the witnesses of `--ledger-witness` by themselves.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Address of the witness, without `/add-checkpoint`.
    url: String,
    /// Key of the witness, as it printed it at its start.
    #[arg(long, value_name = "VKEY", env = "LEDGER_WITNESS_KEY")]
    witness_key: String,
    /// File with certificates of authorities, as PEM, that it may have its own from beside those that browsers know.
    #[arg(long, value_name = "FILE", env = "LEDGER_WITNESS_CA_FILE")]
    witness_ca_file: Option<PathBuf>,
}

/// Asks for the main book.
pub(super) async fn run(args: AskArgs) -> Result<ExitCode> {
    let key = CosignatureKey::parse(&args.witness_key).context("--witness-key (LEDGER_WITNESS_KEY)")?;
    let authorities = authorities("--witness-ca-file (LEDGER_WITNESS_CA_FILE)", args.witness_ca_file.as_deref())?;
    let witness = Witness::at(Place::new(key, &args.url)?, authorities);
    let pool = args.database.pool("ledger witness ask", 1)?;
    let last = checkpoint::latest(&mut *pool.acquire().await?, Book::MAIN).await;
    let last = last.context("reading the last checkpoint")?.context("the log has no checkpoint yet")?;
    let (signed, line) = witness.ask(&pool, Book::MAIN, last, 0).await?;
    println!("{}{line}", signed.note);
    Ok(ExitCode::SUCCESS)
}
