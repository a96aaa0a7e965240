//! `bitnexus witness`: the role that remembers other logs, and signs that they only grow.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use api::WitnessConfig;
use clap::Args;
use ledger::keys::VerifierKey;
use ledger::witness::cosignature::CosignerKey;
use ledger::witness::{Store, Witness};
use tokio::net::TcpListener;
use workers::supervisor::signals;

use crate::folder::write_secret;

/// Where the witness listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:4001";

/// The file with the witness's own key, in its folder.
const KEY: &str = "witness.key";

/// Witness logs: sign for checkpoints that continue what was signed for before, and refuse forks and rollbacks.
///
/// It speaks C2SP tlog-witness (`POST /add-checkpoint`), has a key and a memory of its own in a folder, and needs neither the
/// database nor the rest of the service: run it elsewhere. `bitnexus ledger witness ask` asks it.
#[derive(Debug, Args)]
pub struct WitnessArgs {
    /// Folder of the witness's key and of what it remembers; never put an older copy of it back.
    #[arg(long, value_name = "FOLDER", env = "WITNESS_DIR", default_value = ".bitnexus-witness")]
    witness_dir: PathBuf,
    /// Name of the witness, for ever: a host and a path, such as `witness.example.org/w1`. Needed at the first start.
    #[arg(long, value_name = "NAME", env = "WITNESS_NAME")]
    name: Option<String>,
    /// Key of a log to witness, as `bitnexus ledger key show` prints it; once for each, several of one log while it rotates.
    #[arg(long = "log-key", value_name = "VKEY", env = "WITNESS_LOG_KEYS", value_delimiter = ',', required = true)]
    logs: Vec<String>,
    /// Address that the witness listens on.
    #[arg(long, value_name = "ADDRESS:PORT", env = "WITNESS_LISTEN", default_value = LISTEN)]
    listen: SocketAddr,
}

/// Serves until it is asked to stop.
///
/// # Errors
/// When the address cannot be bound, a key is wrong, or another witness works with the folder.
pub async fn run(args: WitnessArgs) -> Result<ExitCode> {
    let shutdown = signals::shutdown(String::new)?;
    let parse =
        |text: &String| VerifierKey::parse(text).with_context(|| format!("--log-key (WITNESS_LOG_KEYS): `{text}`"));
    let logs: Vec<VerifierKey> = args.logs.iter().map(parse).collect::<Result<_>>()?;
    let store = Store::open(&args.witness_dir).context("--witness-dir (WITNESS_DIR)")?;
    let key = key(&args.witness_dir, args.name.as_deref())?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("--listen (WITNESS_LISTEN): listening on {}", args.listen))?;
    println!("{}", key.verifier().to_text());
    tracing::info!(address = %args.listen, logs = logs.len(), "the witness listens");
    let config = WitnessConfig { listener, witness: Witness::new(key, logs, store) };
    api::serve_witness(config, shutdown.cancelled_owned()).await.context("serving the witness")?;
    Ok(ExitCode::SUCCESS)
}

/// The witness's key, made at the first start.
fn key(folder: &Path, name: Option<&str>) -> Result<CosignerKey> {
    let path = folder.join(KEY);
    if path.exists() {
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        return CosignerKey::parse(&text).with_context(|| format!("the witness's key {}", path.display()));
    }
    let Some(name) = name else { bail!("--name (WITNESS_NAME) is needed at the first start") };
    let key = CosignerKey::generate(name).context("--name (WITNESS_NAME)")?;
    write_secret(&path, &format!("{}\n", key.to_text()))?;
    Ok(key)
}
