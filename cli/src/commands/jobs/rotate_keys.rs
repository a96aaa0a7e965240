//! `bitnexus jobs rotate-keys`

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use ledger::Book;
use queue::encryption::{Key, Keyring, rotate};
use serde_json::json;

use crate::config::DatabaseArgs;
use crate::operator::OutputArgs;

/// How many payloads are sealed anew in one transaction.
const BATCH: u32 = 500;

/// Seal payloads anew that are sealed with older keys.
///
/// The workers need the new key first. Running jobs keep their key: repeat the command until nothing is left. The exit status is 0 then, else 1.
#[derive(Debug, Args)]
pub(super) struct RotateKeysArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The key to seal with: its id, and a file with 64 hexadecimal digits or 32 bytes of base64.
    #[arg(long, value_name = "ID=FILE")]
    key: String,
    /// A key that payloads are sealed with now; may be given more than once.
    #[arg(long = "old-key", value_name = "ID=FILE")]
    old_keys: Vec<String>,
}

/// Rotates all there is.
pub(super) async fn run(args: RotateKeysArgs) -> Result<ExitCode> {
    let mut keyring = Keyring::new(key("--key", &args.key)?);
    for old in &args.old_keys {
        keyring = keyring.with(key("--old-key", old)?).context("--old-key")?;
    }
    let mut connection = args.database.connect("jobs rotate-keys").await?;
    let rotated = rotate(&mut connection, Book::MAIN.shard, &keyring, BATCH).await.context("sealing payloads anew")?;
    let (running, unopened) = (rotated.running, rotated.unopened);
    if args.output.json {
        let (live, dead) = (rotated.live, rotated.dead);
        println!("{:#}", json!({ "live": live, "dead": dead, "running": running, "unopened": unopened }));
    } else {
        println!(
            "{} live and {} dead jobs sealed anew; {running} were running, {unopened} do not open",
            rotated.live, rotated.dead
        );
    }
    Ok(if running + unopened == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn key(flag: &str, given: &str) -> Result<Key> {
    let (id, file) = given.split_once('=').with_context(|| format!("{flag}: it is an id, `=`, and a file"))?;
    Key::from_file(id, Path::new(file)).with_context(|| flag.to_owned())
}
