//! `bitnexus ledger witness ask`: has the last checkpoint signed by a witness.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use ledger::checkpoint::note::Body;
use ledger::checkpoint::{self, Checkpoint};
use ledger::witness::AddCheckpoint;
use ledger::witness::cosignature::CosignatureKey;
use ledger::{Book, log};
use reqwest::{Client, Response, StatusCode};
use sqlx::PgConnection;

use crate::config::DatabaseArgs;

/// How often to try with the size that the witness says it has: somebody else may be asking at the same time.
const TRIES_MAX: u32 = 3;

/// Have the last checkpoint signed by a witness, and print it with the witness's signature.
///
/// The witness signs only if it is proven that the log grew since it was asked last. The exit status is 1 when it refuses.
#[derive(Debug, Args)]
pub(super) struct AskArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Address of the witness, without `/add-checkpoint`.
    url: String,
    /// Key of the witness, as it printed it at its start.
    #[arg(long, value_name = "VKEY", env = "LEDGER_WITNESS_KEY")]
    witness_key: String,
}

/// Asks for the main book.
pub(super) async fn run(args: AskArgs) -> Result<ExitCode> {
    let key = CosignatureKey::parse(&args.witness_key).context("--witness-key (LEDGER_WITNESS_KEY)")?;
    let mut connection = args.database.connect("ledger witness ask").await?;
    let last = checkpoint::latest(&mut connection, Book::MAIN).await.context("reading the last checkpoint")?;
    let last = last.context("the log has no checkpoint yet")?;
    let lines = cosignatures(&mut connection, &args.url, &last).await?;
    let body = Body::read(&last.note).context("the last checkpoint cannot be read")?;
    let is_own = |line: &&str| key.time_of(&body, line).is_some();
    let line = lines.lines().find(is_own).context("the witness answered with a signature that is not its own")?;
    println!("{}{line}", last.note);
    Ok(ExitCode::SUCCESS)
}

/// Asks, from the size that the witness has.
async fn cosignatures(connection: &mut PgConnection, url: &str, last: &Checkpoint) -> Result<String> {
    let mut old = 0;
    for _ in 0..TRIES_MAX {
        let answer = post(url, &request(connection, old, last).await?).await?;
        match answer.status() {
            StatusCode::OK => return answer.text().await.context("reading the answer"),
            StatusCode::CONFLICT => {
                let size = answer.text().await.context("reading the answer")?;
                let size = size.trim().parse().context("the witness answered with a size that is none")?;
                if size == old {
                    bail!("the witness knows another log of {old} leaves: this one was forked or rolled back");
                }
                old = size;
            }
            status => bail!("the witness refused: {status} {}", answer.text().await.unwrap_or_default().trim()),
        }
    }
    bail!("the witness has another size each time; try again")
}

/// The request from a size on.
async fn request(connection: &mut PgConnection, old: u64, last: &Checkpoint) -> Result<String> {
    let size = last.size as u64;
    if old > size {
        bail!(
            "the witness has signed for {old} leaves, the last checkpoint here is of {size}: was the log rolled back?"
        );
    }
    let proof = match old {
        0 => Vec::new(),
        old => log::consistency(connection, Book::MAIN, old, size).await.context("proving that the log grew")?.hashes,
    };
    Ok(AddCheckpoint::new(old, proof, &last.note).context("the last checkpoint cannot be sent")?.to_text())
}

async fn post(url: &str, request: &str) -> Result<Response> {
    let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
    Client::new().post(&url).body(request.to_owned()).send().await.with_context(|| format!("asking {url}"))
}
