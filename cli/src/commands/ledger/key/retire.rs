//! `bitnexus ledger key retire`: ends the overlap of a rotation.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use ledger::Book;
use ledger::keyring::{self, KeyringError};
use sqlx::Connection;

use super::KeyFileArgs;
use crate::keys;

/// Retire the keys before the newest one: they sign for no later checkpoint, and leave the file.
#[derive(Debug, Args)]
pub(super) struct RetireArgs {
    #[command(flatten)]
    file: KeyFileArgs,
}

/// Retires the older keys of the main book.
pub(super) async fn run(args: RetireArgs) -> Result<ExitCode> {
    let path = args.file.file()?;
    let signing = keys::read(&path)?;
    let Some((newest, older)) = signing.split_first().filter(|(_, older)| !older.is_empty()) else {
        bail!("{} has one key; `bitnexus ledger key rotate` adds another", path.display());
    };
    let mut connection = args.file.database.connect("ledger key retire").await?;
    let mut tx = connection.begin().await.context("beginning a transaction")?;
    for key in older {
        match keyring::retire(&mut tx, Book::MAIN, &key.verifier()).await {
            Ok(size) => println!("{}  signs to {size} leaves", key.verifier().to_text()),
            // By a run that was cut off before it wrote the file.
            Err(KeyringError::Unknown) => println!("{}  was retired before", key.verifier().to_text()),
            Err(error) => return Err(error).context("retiring a key"),
        }
    }
    tx.commit().await.context("committing")?;
    keys::write_all(&path, std::slice::from_ref(newest))?;
    Ok(ExitCode::SUCCESS)
}
