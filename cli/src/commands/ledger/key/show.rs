//! `bitnexus ledger key show`: the log's public keys, and what each may sign for.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::Book;
use ledger::keyring::{self, Keyring, LogKey};

use crate::config::DatabaseArgs;
use crate::keys;

/// Print the log's public keys and the sizes that each may sign for.
///
/// A key is trusted when it is one of the given, or endorsed by one that is; the exit status is 1 when any is not.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Key to trust, as `bitnexus ledger key new` printed it. Default: those of the `bitnexus up` here.
    #[arg(long, value_name = "VKEY", env = "LEDGER_VERIFIER_KEYS", value_delimiter = ',')]
    key: Vec<String>,
}

/// Shows the keys of the main book.
pub(super) async fn run(args: ShowArgs) -> Result<ExitCode> {
    let trusted = keys::verifiers_or(&args.key, &args.database.dir)?;
    let mut connection = args.database.connect("ledger key show").await?;
    let listed = keyring::list(&mut connection, Book::MAIN).await.context("reading the log's keys")?;
    let ring = Keyring::new(&trusted, listed.clone());
    for key in &listed {
        println!("{}  {}", key.key.to_text(), about(key, ring.keys().contains(key)));
    }
    if listed.is_empty() {
        println!("nothing is signed yet; the first checkpoint decides the log's first key");
    }
    let all_trusted = listed.iter().all(|key| ring.keys().contains(key));
    Ok(if all_trusted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn about(key: &LogKey, is_trusted: bool) -> String {
    let until = key.until_size.map_or("in force".to_owned(), |until| format!("to {until}, retired"));
    format!("signs from {} leaves on, {until}; {}", key.from_size, if is_trusted { "trusted" } else { "NOT TRUSTED" })
}
