//! `bitnexus ledger key rotate`: another key signs from now on.

use std::process::ExitCode;

use anyhow::{Context, Result};
use ledger::Book;
use ledger::keyring::{self, LogKey};
use ledger::keys::SigningKey;
use sqlx::{Connection, PgConnection};

use super::KeyFileArgs;
use crate::keys;

/// Rotates the key of the main book. What was cut off is finished by the next run: the file is written first, since a key
/// that is in the file and not in the list signs nothing, while one that is in the list only would be lost.
pub(super) async fn run(args: KeyFileArgs) -> Result<ExitCode> {
    let path = args.file()?;
    let mut signing = keys::read(&path)?;
    let mut connection = args.database.connect("ledger key rotate").await?;
    let listed = keyring::list(&mut connection, Book::MAIN).await.context("reading the log's keys")?;
    if signing.len() == 1 || is_listed(&listed, &signing[0]) {
        let key = SigningKey::generate(signing[0].name()).context("making a key of the log's name")?;
        signing.insert(0, key);
        keys::write_all(&path, &signing)?;
        keys::publish(&path, &signing)?;
    }
    let key = add(&mut connection, &signing[1], &signing[0]).await?;
    println!("{}", key.key.to_text());
    eprintln!("it signs from {} leaves on, beside {}", key.from_size, signing[1].verifier().to_text());
    Ok(ExitCode::SUCCESS)
}

fn is_listed(listed: &[LogKey], key: &SigningKey) -> bool {
    listed.iter().any(|listed| listed.key == key.verifier())
}

async fn add(connection: &mut PgConnection, old: &SigningKey, new: &SigningKey) -> Result<LogKey> {
    let mut tx = connection.begin().await.context("beginning a transaction")?;
    let key = keyring::rotate(&mut tx, Book::MAIN, old, &new.verifier()).await.context("rotating the log's key")?;
    tx.commit().await.context("committing")?;
    Ok(key)
}
