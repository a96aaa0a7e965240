//! What would go wrong a moment later, told before anything is started.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};

use super::UpArgs;

/// Refuses to start when a port is taken.
///
/// # Errors
/// When an address cannot be bound; the text names the flag and the variable that choose another.
pub(super) fn ports_are_free(args: &UpArgs) -> Result<()> {
    is_free(args.api_listen, "--api-listen", "API_LISTEN")?;
    is_free(args.metrics_listen, "--metrics-listen", "METRICS_LISTEN")
}

fn is_free(address: SocketAddr, flag: &str, variable: &str) -> Result<()> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!("{address} is in use by another program: stop that, or choose another port with {flag} or {variable}")
        }
        Err(error) => Err(error).with_context(|| format!("{flag} ({variable}): listening on {address}")),
    }
}
